package assets

import "embed"

// Pages are what the relay serves to browsers, under pages/. They need nothing from elsewhere and no build step.
//
//go:embed pages
var Pages embed.FS
