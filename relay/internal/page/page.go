// Package page serves the pages that browsers get from the relay.
package page

import (
	"io/fs"
	"net/http"
	"strings"

	"sightline/assets"
)

// policy lets a page load from the relay only, and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// Handle serves every page under its own name, an HTML page also without its ending. Tokens are behind the # of an
// address, where a browser keeps them.
func Handle(mux *http.ServeMux) error {
	files, err := fs.Sub(assets.Pages, "pages")
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		mux.HandleFunc("GET /"+strings.TrimSuffix(name, ".html"), func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Permissions-Policy", "camera=(self), microphone=(self)")
			h.Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		})
		return nil
	})
}
