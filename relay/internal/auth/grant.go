package auth

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// The roles of participants.
const (
	Field  = "field"
	Expert = "expert"
	Viewer = "viewer"
)

// The rights that a token may carry.
const (
	Publish  = "publish"  // send tracks
	Draw     = "draw"     // write to the room log and point
	Record   = "record"   // see which recordings of the room there are
	Play     = "play"     // verify and play them
	Export   = "export"   // take copies of them away
	Hold     = "hold"     // put legal holds on them, and end those
	Delete   = "delete"   // delete them
	Moderate = "moderate" // mute, remove, admit and lock; invite
	Audit    = "audit"    // read the audit log
)

// AllRooms is the room of a token that is good for all of them: for staff and for programs.
const AllRooms = "*"

var (
	roles  = []string{Field, Expert, Viewer}
	rights = []string{Publish, Draw, Record, Play, Export, Hold, Delete, Moderate, Audit}
)

// Grant is what a token says: who may enter which room as what, and until when. Its ID names the
// invitation.
type Grant struct {
	Room string `json:"room"`
	Role string `json:"role"`
	Name string `json:"name"`
	// Rights are what the bearer may do. A viewer may chat without any.
	Rights []string `json:"rights"`
	// Watch are machines, "<area>/<machine>", whose telemetry the room gets when the bearer joins.
	Watch []string `json:"watch,omitempty"`
	// Staff walk past the lobby, and may have a token for all rooms.
	Staff bool `json:"staff,omitempty"`
	// Consent says that the bearer has agreed to being recorded, by the word of who signed.
	Consent bool `json:"consent,omitempty"`
	// Key is the one that has signed the token; Check finds it.
	Key ed25519.PublicKey `json:"-"`
	jwt.RegisteredClaims
}

// DefaultRights are the rights of a role where an invitation names none.
func DefaultRights(role string) []string {
	if role == Viewer {
		return []string{}
	}
	return []string{Publish, Draw}
}

// May says whether the bearer has a right.
func (g Grant) May(right string) bool { return slices.Contains(g.Rights, right) }

// Covers says whether the grant is good for a room.
func (g Grant) Covers(room string) bool { return g.Room == room || g.Room == AllRooms }

// RoomName says whether a text can be a room's name.
func RoomName(text string) bool { return roomName.MatchString(text) }

var roomName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns an error that names what is wrong with a grant, or nil.
func (g Grant) Validate() error {
	if g.ExpiresAt == nil {
		return errors.New("token without an expiry")
	}
	return g.Valid()
}

// Valid is Validate for a grant that has no expiry yet.
func (g Grant) Valid() error {
	switch {
	case g.Room == AllRooms && !g.Staff:
		return errors.New("a token for all rooms is for staff: say --staff, or name the room")
	case g.Room != AllRooms && !roomName.MatchString(g.Room):
		return fmt.Errorf("room %.80q: letters, digits, - and _ only, 1 to 64", g.Room)
	case !slices.Contains(roles, g.Role):
		return fmt.Errorf("role %.40q: want field, expert or viewer", g.Role)
	case g.Name == "" || len(g.Name) > 100:
		return fmt.Errorf("name of %d bytes: want 1 to 100", len(g.Name))
	}
	return g.Rightful()
}

// Rightful returns an error that names a right that is none, or nil.
func (g Grant) Rightful() error {
	for _, r := range g.Rights {
		if !slices.Contains(rights, r) {
			return fmt.Errorf("right %.40q: want publish, draw, record, play, export, hold, delete, moderate or audit", r)
		}
	}
	return nil
}
