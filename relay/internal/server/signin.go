package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/config"
	"sightline/relay/internal/staff"
)

// stateCookie holds the state of a sign-in that has begun, so that it ends in the browser that began it.
const stateCookie = "sightline-signin"

// signedIn is how long a sign-in holds.
const signedIn = 10 * time.Hour

func (s *Server) handleSignIn(mux *http.ServeMux) {
	mux.HandleFunc("GET /signin/offered", func(w http.ResponseWriter, _ *http.Request) {
		if s.staff == nil {
			http.Error(w, "signing in with OpenID Connect is not set up", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if s.staff != nil {
		mux.HandleFunc("GET /signin", s.limitJoins(s.beginSignIn))
		mux.HandleFunc("GET /signin/callback", s.limitJoins(s.endSignIn))
	}
}

func (s *Server) cookie(r *http.Request, state string, age int) *http.Cookie {
	return &http.Cookie{Name: stateCookie, Value: state, Path: "/signin", MaxAge: age, HttpOnly: true,
		Secure: strings.HasPrefix(s.PublicURL(r), "https:"), SameSite: http.SameSiteLaxMode}
}

// beginSignIn sends the browser to the provider.
func (s *Server) beginSignIn(w http.ResponseWriter, r *http.Request) {
	address, state, err := s.staff.Begin(r.Context(), s.PublicURL(r)+"/signin/callback")
	if err != nil {
		s.log.Error("nobody can sign in", "error", err)
		http.Error(w, "Signing in does not work now; the relay's log says why.", http.StatusBadGateway)
		return
	}
	http.SetCookie(w, s.cookie(r, state, 600))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, address, http.StatusFound)
}

// endSignIn takes the browser back, and leads it to the console with a token behind the #.
func (s *Server) endSignIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	kept, err := r.Cookie(stateCookie)
	http.SetCookie(w, s.cookie(r, "", -1))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	by := audit.Actor{Address: address(r), By: "OpenID Connect"}
	refuse := func(status int, why string) {
		s.noteRefused(audit.Event{What: audit.Refused, Actor: by.Name, Address: by.Address, By: by.By, Reason: why})
		http.Error(w, why, status)
	}
	if err != nil || kept.Value == "" || kept.Value != q.Get("state") {
		refuse(http.StatusForbidden, staff.ErrState.Error())
		return
	}
	if q.Get("error") != "" {
		refuse(http.StatusForbidden, "the OpenID provider did not let you in")
		return
	}
	grant, err := s.staff.End(r.Context(), kept.Value, q.Get("code"))
	by.Name = grant.Name
	switch {
	case errors.Is(err, staff.ErrState), errors.Is(err, staff.ErrNobody):
		refuse(http.StatusForbidden, err.Error())
		return
	case err != nil:
		s.log.Error("somebody cannot sign in", "error", err)
		refuse(http.StatusBadGateway, "signing in does not work now; the relay's log says why")
		return
	}
	token, _, err := s.Invite(grant, signedIn, by)
	if err != nil {
		s.log.Error("somebody cannot sign in", "error", err)
		refuse(http.StatusInternalServerError, "signing in does not work now; the relay's log says why")
		return
	}
	http.Redirect(w, r, "/console#"+token, http.StatusFound)
}

// checkStaff refuses settings for signing in that cannot be.
func (c *Config) checkStaff() error {
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return config.Bad("public-url", fmt.Errorf("%q: want https://host, as people write it", c.PublicURL))
		}
	}
	switch f := c.Staff; {
	case f.Issuer == "":
		return nil
	case f.ClientID == "":
		return config.Bad("oidc-issuer", errors.New("signing in needs oidc-client-id too, as the provider has given it"))
	case c.PublicURL == "":
		return config.Bad("oidc-issuer", errors.New("signing in needs public-url too: the provider sends people back to it, at /signin/callback"))
	case len(f.Rules) == 0:
		return config.Bad("oidc-issuer", errors.New("signing in needs a section staff, which says who may what; relay config prints an example"))
	}
	return nil
}
