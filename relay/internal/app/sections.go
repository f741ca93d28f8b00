package app

import (
	"sightline/relay/internal/config"
	"sightline/relay/internal/plant"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/staff"
	"sightline/relay/internal/webhook"
)

// sections are the settings that are lists. They stand in the configuration file only.
type sections struct {
	rooms    policy.Rooms
	webhooks []webhook.Target
	staff    []staff.Rule
	machines []plant.User
}

func sectionNames() []string { return []string{"rooms", "webhooks", "staff", "mqtt-users"} }

func readSections(f *config.File) (s sections, err error) {
	s.rooms, err = config.Items(f, "rooms", (*policy.Room).Check)
	if err == nil {
		s.webhooks, err = config.Items(f, "webhooks", (*webhook.Target).Check)
	}
	if err == nil {
		s.staff, err = config.Items(f, "staff", (*staff.Rule).Check)
	}
	if err == nil {
		s.machines, err = config.Items(f, "mqtt-users", (*plant.User).Check)
	}
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
#    keep: 2160h            # then recordings are deleted; for ever by default

# Who is told what happens: an HTTPS POST for each event, signed as Standard Webhooks have it, tried again for three days.
#webhooks:
#  - url: https://erp.example/hooks/sightline
#    secret: whsec_...      # echo whsec_$(openssl rand -base64 32)
#    events: [room.started, room.ended, participant.joined, participant.left, lobby.waiting, mark.placed,
#             alarm.raised, alarm.cleared, recording.sealed]   # all by default
#    rooms: hall*           # all by default
#    allow-private: true    # the name leads to a private address

# What staff may do who sign in with OpenID Connect (oidc-issuer), by the values of the claim oidc-claim.
#staff:
#  - value: plant-admins
#    rights: [moderate, record, audit]
#  - value: shift-leads
#    rooms: hall1           # one room; all by default
#    rights: [moderate]

# Who may speak to the embedded MQTT broker, and about what. Without users it is for this machine only.
#mqtt-users:
#  - name: hall1            # without publish and subscribe: plant/hall1/#
#    password: $2y$...      # htpasswd -nB hall1; or the password itself
#  - name: wall
#    password: $2y$...
#    subscribe: [plant/+/+/pressure]
`
