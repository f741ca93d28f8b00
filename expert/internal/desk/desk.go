// Package desk is the expert's window without a window: what is on it, where, what the mouse and the keys
// do, and its picture. The shell shows that picture and brings events; a headless client and the tests
// have the very same one.
package desk

import (
	"image"
	"math"
	"time"

	"sightline/annotate"
	"sightline/annotate/raster"
	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/vision/geom"
)

// Source is what the desk shows: a call.Call, or a test's.
type Source interface {
	Room() *call.Room
	Marks() []annotate.Entry
	Frame(camera string) *call.Frame // the caller releases it
	Pose(camera string, captured int64) (call.Pose, bool)
}

// Editor is what the desk changes.
type Editor interface {
	Create(m annotate.Mark, captured int64) (id string, err error)
	Move(id string, m annotate.Mark, captured int64) error
	Delete(ids ...string) error
	Undo() (bool, error)
}

// Recorder is what the expert decides of the recording.
type Recorder interface {
	// Consent answers whether what comes from this expert may be recorded.
	Consent(given bool) error
	// Pause pauses the recording for everybody, with the reason, or lets it go on.
	Pause(on bool, why string) error
}

// Vitals are figures that change without a message.
type Vitals struct {
	RTT     time.Duration // to the relay and back, 0 where unknown
	Pending int           // messages that wait for the relay
}

// Shown tells of a frame that came on screen.
type Shown struct {
	Frame     *call.Frame // valid during the call
	At        time.Time
	PoseExact bool
	State     string // the tracker's, empty where there is no pose
}

// Snapshot is a picture to be saved, at the frame's own size.
type Snapshot struct {
	Room     string
	At       time.Time
	Camera   string // whose picture it is: a participant's ID
	Captured int64
	Composed *image.RGBA // with the marks
	Raw      *image.RGBA // as the camera saw it
}

// Config is what a desk needs; functions that are nil are not called.
type Config struct {
	Source Source
	Editor Editor
	Faces  *typeset.Faces
	Now    func() time.Time
	Vitals func() Vitals
	Say    func(text string) error
	// Recorder is told what the expert wants of the recording; nil where nobody can be told.
	Recorder Recorder
	// Pointers are the laser pointers on a camera's picture.
	Pointers func(camera string) []annotate.Pointer
	// OnSnapshot takes a picture to save and returns where, in words for the expert.
	OnSnapshot func(Snapshot) string
	OnShown    func(Shown)
	OnReadings func([]devices.Reading) // that the last Render brought on screen
	OnMark     func(id string, m annotate.Mark, captured int64)
	// OnSizes hears how wide, in pixels, each participant's camera is shown, 0 where it is not, whenever that changes.
	OnSizes func(widths map[string]int)
	// Review makes this the desk of a recorded session: nothing can be drawn, and the foot has a timeline. Source
	// is its deck then; nil for a call.
	Review *Review
}

// Desk is the expert's window. One goroutine uses it.
type Desk struct {
	cfg    Config
	scale  float64
	canvas *image.RGBA
	lay    layout

	// What is shown.
	room    *call.Room
	marks   []annotate.Entry
	camera  string      // whose picture is shown
	live    *call.Frame // the newest of it
	held    *call.Frame // in place of it while drawing, or frozen
	heldAt  time.Time
	frozen  bool
	pose    call.Pose
	hasPose bool
	meter   meter
	views   map[string]scene.MarkView
	firsts  map[string]sight
	clock   time.Time

	// What the expert does.
	tool     Tool
	colour   string
	machine  string // for pins
	pen      *pen
	move     *moving
	typing   *typing
	selected string
	clearing bool
	hidden   bool // the side panel
	mouse    geom.Vec2
	hover    string
	toasts   []toast
	answered string // the question about being recorded that was answered here
	search   search
	dragging bool // the timeline's hand

	// How it is drawn.
	painter, small        *raster.Painter
	builder, ghosts       *scene.Builder
	snapper               *scene.Builder
	panels                [4]panel
	overlay               pad
	base                  *image.RGBA // the picture without marks, of the frame baseOf of baseCamera
	baseOf                int64
	baseCamera            string
	hits                  []hit // of the overlay
	thumbs                []thumb
	thumbOf               map[string]int64 // the frame of each small picture that is on the canvas
	sizes                 map[string]int   // as they were told
	lastThumbs            time.Time
	pictureDirty          bool
	panelsDirty           bool
	lastPicture, lastSide time.Time
}

// moving is a mark that is being dragged.
type moving struct {
	id    string
	from  geom.Vec2 // pixel of the frame
	mark  annotate.Mark
	begun bool
}

// typing is a text being entered: a callout on the held frame, or a message to the room.
type typing struct {
	chat bool
	why  bool // a message to the recorder: why it is to pause
	at   geom.Vec2
	text []rune
}

// sight is when a mark, as it now stands, was first seen here.
type sight struct {
	time int64
	at   time.Time
}

type toast struct {
	text  string
	level scene.Level
	until time.Time
}

// New makes a desk of width x height pixels; scale is the size of text and buttons.
func New(cfg Config, width, height int, scale float64) *Desk {
	d := &Desk{cfg: cfg, tool: Arrow, colour: Palette[0], views: map[string]scene.MarkView{}, firsts: map[string]sight{}, thumbOf: map[string]int64{},
		painter: raster.New(cfg.Faces), small: raster.New(cfg.Faces), builder: scene.NewBuilder(cfg.Faces), ghosts: scene.NewBuilder(cfg.Faces), snapper: scene.NewBuilder(cfg.Faces),
		mouse: geom.Vec2{-1, -1}}
	if d.cfg.Vitals == nil {
		d.cfg.Vitals = func() Vitals { return Vitals{} }
	}
	d.overlay.faces = cfg.Faces
	for i := range d.panels {
		d.panels[i].pad.faces = cfg.Faces
	}
	d.room = &call.Room{}
	d.Resize(width, height, scale)
	return d
}

// Close lets the pictures go.
func (d *Desk) Close() {
	d.live.Release()
	d.held.Release()
	d.live, d.held = nil, nil
}

// Smallest window that is laid out, in units of the scale; less is cut off.
const (
	minWidth  = 720
	minHeight = 480
)

// Resize lays the desk out anew.
func (d *Desk) Resize(width, height int, scale float64) {
	width, height = max(width, 64), max(height, 64)
	if !(scale >= 0.5 && scale <= 4) {
		scale = 1
	}
	if d.canvas != nil && d.canvas.Rect.Dx() == width && d.canvas.Rect.Dy() == height && d.scale == scale {
		return
	}
	d.scale = scale
	d.canvas = image.NewRGBA(image.Rect(0, 0, width, height))
	d.relayout()
}

func (d *Desk) relayout() {
	d.lay = newLayout(d.canvas.Rect.Dx(), d.canvas.Rect.Dy(), d.scale, d.hidden, d.cfg.Review != nil)
	for i := range d.panels {
		d.panels[i].drawn = nil
	}
	d.thumbs = d.thumbs[:0] // the side panel says where they are
	d.pictureDirty, d.panelsDirty = true, true
	d.lastPicture, d.lastSide = time.Time{}, time.Time{}
}

// shown is the frame on screen, or nil.
func (d *Desk) shown() *call.Frame {
	if d.held != nil {
		return d.held
	}
	return d.live
}

// view is where the frame on screen lies in the window.
func (d *Desk) view() (scene.View, bool) {
	f := d.shown()
	if f == nil {
		return scene.View{}, false
	}
	v := scene.Fit(f.Size().X, f.Size().Y, d.lay.picture.W(), d.lay.picture.H())
	v.Left += d.lay.picture.X0
	v.Top += d.lay.picture.Y0
	return v, true
}

// hold keeps the frame on screen where it is, so that what is drawn belongs to it.
func (d *Desk) hold() bool {
	if d.held == nil && d.live != nil {
		d.held, d.heldAt = d.live.Keep(), d.clock
		d.pictureDirty = true
	}
	return d.held != nil
}

// unhold goes back to the live picture, unless it is frozen or still drawn on.
func (d *Desk) unhold() {
	if d.frozen || d.pen != nil || d.move != nil || d.typing != nil && !d.typing.chat {
		return
	}
	d.held.Release()
	d.held = nil
	d.pictureDirty = true
}

func (d *Desk) mark(id string) (annotate.Entry, bool) {
	for _, e := range d.marks {
		if e.ID == id {
			return e, true
		}
	}
	return annotate.Entry{}, false
}

// Toast tells the expert something for a few seconds.
func (d *Desk) Toast(text string, level scene.Level) {
	d.toasts = append(d.toasts, toast{text, level, d.wall().Add(4 * time.Second)})
	if len(d.toasts) > 3 {
		d.toasts = d.toasts[1:]
	}
	d.pictureDirty = true
}

// wall is the clock of who looks; the desk's own may be of a recorded session.
func (d *Desk) wall() time.Time {
	if d.cfg.Review != nil {
		return d.cfg.Review.Wall()
	}
	return d.clock
}

func (d *Desk) fail(err error) {
	if err != nil {
		d.Toast(err.Error(), scene.Warning)
	}
}

func (d *Desk) expire() {
	for len(d.toasts) > 0 && d.wall().After(d.toasts[0].until) {
		d.toasts = d.toasts[1:]
		d.pictureDirty = true
	}
}

// ago is how long it is since a time, in seconds, never less than 0.
func (d *Desk) ago(t time.Time) float64 { return math.Max(0, d.clock.Sub(t).Seconds()) }
