package desk

import (
	"strings"

	"sightline/annotate"
)

// command is something that a button, a key or a script makes the desk do.
type command struct {
	id   string // "tool:arrow", "undo", "freeze" …
	name string // for people
	key  Key    // the shortcut
	ctrl bool
	draw icon
}

// tools and actions are the toolbar from top to bottom; 0 pixels of a gap stand between groups.
var toolbarGroups = [][]command{
	{
		{id: "tool:select", name: "Select and move", key: "V", draw: iconSelect},
	},
	{
		{id: "tool:arrow", name: "Arrow", key: "A", draw: iconArrow},
		{id: "tool:circle", name: "Circle", key: "C", draw: iconCircle},
		{id: "tool:stroke", name: "Freehand", key: "D", draw: iconStroke},
		{id: "tool:text", name: "Text", key: "T", draw: iconText},
		{id: "tool:measure", name: "Measure from one place to another", key: "E", draw: iconMeasure},
		{id: "tool:pin", name: "Pin the machine's readings", key: "M", draw: iconPin},
	},
	{
		{id: "tool:gesture:" + string(annotate.Point), name: "Gesture: here", key: "P", draw: iconPoint},
		{id: "tool:gesture:" + string(annotate.Press), name: "Gesture: press", key: "B", draw: iconPress},
		{id: "tool:gesture:" + string(annotate.TurnLeft), name: "Gesture: turn left", key: "L", draw: iconTurnLeft},
		{id: "tool:gesture:" + string(annotate.TurnRight), name: "Gesture: turn right", key: "R", draw: iconTurnRight},
		{id: "tool:gesture:" + string(annotate.Pull), name: "Gesture: pull", key: "U", draw: iconPull},
		{id: "tool:gesture:" + string(annotate.Stop), name: "Gesture: stop", key: "X", draw: iconStop},
	},
	{
		{id: "undo", name: "Undo", key: "Z", ctrl: true, draw: iconUndo},
		{id: "clear", name: "Clear marks …", key: "K", draw: iconClear},
	},
}

// others are commands without a place in the toolbar.
var otherCommands = []command{
	{id: "freeze", name: "Freeze the picture", key: KeySpace, draw: iconFreeze},
	{id: "snapshot", name: "Save a snapshot", key: "S", draw: iconSnapshot},
	{id: "delete", name: "Delete the selected mark", key: KeyDelete},
	{id: "delete", name: "Delete the selected mark", key: KeyBackspace},
	{id: "panel", name: "Show or hide the side panel", key: KeyTab},
	{id: "chat", name: "Write to the room", key: KeyEnter},
	{id: "privacy", name: "Pause the recording, or let it go on", key: "P", ctrl: true},
	{id: "colour:next", name: "Next colour", key: "N"},
	{id: "escape", name: "Cancel", key: KeyEscape},
}

// commandOf returns the command of a shortcut.
func commandOf(key Key, ctrl bool) (string, bool) {
	key = Key(strings.ToUpper(string(key)))
	for _, group := range append([][]command{otherCommands}, toolbarGroups...) {
		for _, c := range group {
			if Key(strings.ToUpper(string(c.key))) == key && c.ctrl == ctrl {
				return c.id, true
			}
		}
	}
	return "", false
}

func lookUp(id string) (command, bool) {
	for _, group := range append([][]command{otherCommands}, toolbarGroups...) {
		for _, c := range group {
			if c.id == id {
				return c, true
			}
		}
	}
	return command{}, false
}

// shortcut is how a key is written for people.
func (c command) shortcut() string {
	if c.ctrl {
		return "Ctrl+" + string(c.key)
	}
	return string(c.key)
}
