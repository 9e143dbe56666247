package gate

import "net/http"

// What a page of another origin may send and see, for as long as its browser may remember the answer.
const (
	corsMethods = "GET, POST"
	corsHeaders = "Authorization, Content-Type, Last-Event-ID"
	corsExposed = "Retry-After, Wireroom-Error"
	corsMaxAge  = "600"
)

// CORS writes the headers with which a page of another origin may read the answer (Fetch standard, CORS protocol), and
// reports whether the request is answered with that, as a preflight is; one of an origin that may not send any is refused.
// Every HTTP path that pages of other origins may use begins with it. The origin is named, never "*", and credentials
// go with origins that are listed, not with those that a "*" alone lets in.
func (g *Gate) CORS(w http.ResponseWriter, r *http.Request) (answered bool, refused *Refusal) {
	h := w.Header()
	h.Add("Vary", "Origin")
	p := g.policy.Load()
	from := p.proxies.client(r)
	if !p.origins.allow(r, from) {
		return false, g.refuseOrigin()
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false, nil
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if same(origin, r, from) || !p.origins.all {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false, nil
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
	return true, nil
}
