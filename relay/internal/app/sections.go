package app

import (
	"sightline/relay/internal/config"
	"sightline/relay/internal/policy"
)

// sections are the settings that are lists. They stand in the configuration file only.
type sections struct {
	rooms policy.Rooms
}

func sectionNames() []string { return []string{"rooms"} }

func readSections(f *config.File) (s sections, err error) {
	s.rooms, err = config.Items(f, "rooms", (*policy.Room).Check)
	return s, err
}

// sectionsExample is how they look in a file. All of it is commented out.
const sectionsExample = `
# What holds in which room: the first entry that matches the room's name.
#rooms:
#  - match: visitors-*      # * stands for any letters, ? for one
#    lobby: true            # guests wait until a moderator admits them; staff and moderators walk in
#    max-participants: 4    # 0, the default, for any number
#    record: false          # rooms are recorded by default
#    consent: true          # ask everybody before anything of theirs is recorded
`
