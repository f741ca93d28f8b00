package wire

// Headers of the signalling socket; SignalType says when they are sent.
const (
	// InstanceHeader is a secret by which a client is known again.
	InstanceHeader = "Sightline-Client"
	// ResumeHeader says that a client knows how to come back, or to which session it does.
	ResumeHeader = "Sightline-Resume"
)
