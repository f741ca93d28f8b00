package desk

import "sightline/vision/geom"

// Key is a key of the keyboard: an upper-case letter, a digit, or one of those below.
type Key string

// Keys that are no letters.
const (
	KeySpace     Key = "Space"
	KeyEnter     Key = "Enter"
	KeyEscape    Key = "Esc"
	KeyBackspace Key = "Backspace"
	KeyDelete    Key = "Del"
	KeyTab       Key = "Tab"
	KeyLeft      Key = "Left"
	KeyRight     Key = "Right"
	KeyUp        Key = "Up"
	KeyDown      Key = "Down"
	KeyHome      Key = "Home"
	KeyEnd       Key = "End"
)

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	Moved    EventKind = iota // the mouse is at At
	Pressed                   // its left button went down at At
	Released                  // its left button was let go at At
	Struck                    // Key went down
	Typed                     // Rune was entered: text, or a shortcut where no text is being typed
)

// Event is what the shell tells the desk, in pixels of the window.
type Event struct {
	Kind EventKind
	At   geom.Vec2
	Key  Key
	Ctrl bool
	Rune rune
	// Again says that the character comes from a key that is held down.
	Again bool
}
