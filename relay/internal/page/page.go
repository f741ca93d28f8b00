// Package page has the pages that the relay serves to browsers. They need nothing from elsewhere.
package page

import (
	"embed"
	"net/http"
)

//go:embed *.html *.js
var files embed.FS

// policy lets a page load from the relay only, and be framed by nobody.
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Serve serves a file of this package. Tokens are behind the # of an address, where a browser keeps them.
func Serve(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Permissions-Policy", "camera=(self), microphone=(self)")
		http.ServeFileFS(w, r, files, name)
	}
}
