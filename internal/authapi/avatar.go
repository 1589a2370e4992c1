package authapi

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
)

// avatarURL is where the avatar of an account is.
func (a *API) avatarURL(r *http.Request, name string) string {
	return a.base(r) + "/api/avatars/" + name + ".svg"
}

// avatar answers with the URL of an avatar, with a redirect to it where the
// caller wants an image, or (….svg) with the image. It is drawn from the name
// alone, so it says nothing about which accounts there are.
func (a *API) avatar(w http.ResponseWriter, r *http.Request) error {
	name, image := strings.CutSuffix(r.PathValue("name"), ".svg")
	name, err := hub.ParseAccountName(name)
	if err != nil {
		return hub.ErrNotFound
	}
	switch {
	case image:
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Header().Set("Cache-Control", "public, max-age=86400")
		_, err := w.Write(drawAvatar(name))
		return err
	case httpx.Bool(r, "redirect") || r.Header.Get("Sec-Fetch-Dest") == "image":
		http.Redirect(w, r, a.avatarURL(r, name), http.StatusTemporaryRedirect)
		return nil
	}
	return httpx.JSON(w, http.StatusOK, map[string]string{"avatarUrl": a.avatarURL(r, name)})
}

// drawAvatar draws the first letter of a name on a colour made from it.
func drawAvatar(name string) []byte {
	key := strings.ToLower(name)
	hue := crc32.ChecksumIEEE([]byte(key)) % 360
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">`+
		`<rect width="64" height="64" fill="hsl(%d 45%% 45%%)"/>`+
		`<text x="32" y="43" font-family="sans-serif" font-size="32" fill="#fff" text-anchor="middle">%s</text></svg>`,
		hue, strings.ToUpper(key[:1])) // a letter or digit: nothing to escape
}
