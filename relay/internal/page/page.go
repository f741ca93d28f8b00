// Package page serves the pages that browsers get from the relay.
package page

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"sightline/assets"
)

// policy lets a page load from the relay only, speak to it and to the relays named, and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self'%s; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// Handle serves every page under its own name, an HTML page also without its ending. Tokens are behind the # of an
// address, where a browser keeps them. relays returns where else rooms may be.
func Handle(mux *http.ServeMux, relays func() []string) error {
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
			h.Set("Content-Security-Policy", fmt.Sprintf(policy, origins(relays())))
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Permissions-Policy", "camera=(self), microphone=(self)")
			h.Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		})
		return nil
	})
}

// origins writes where relays are as a policy has it: a relay's address may hold nothing that ends the list.
func origins(relays []string) string {
	var b strings.Builder
	for _, one := range relays {
		if u, err := url.Parse(one); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, " ;,'") {
			b.WriteString(" " + u.Scheme + "://" + u.Host)
		}
	}
	return b.String()
}
