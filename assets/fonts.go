// Package assets is what ships inside the binaries.
package assets

import _ "embed"

//go:embed fonts/NotoSans-Regular.ttf
var notoRegular []byte

//go:embed fonts/NotoSans-Bold.ttf
var notoBold []byte

//go:embed fonts/DroidSansFallbackFull.ttf
var droidFallback []byte

// FontRegular returns Noto Sans Regular as TrueType: Latin, Greek, Cyrillic. Nobody writes to it.
// Licence: SIL OFL 1.1, beside the font.
func FontRegular() []byte { return notoRegular }

// FontBold returns Noto Sans Bold as TrueType.
func FontBold() []byte { return notoBold }

// FontFallback returns Droid Sans Fallback as TrueType, which has Chinese, Japanese and Korean, for the
// runes that Noto Sans lacks. Licence: Apache 2.0, beside the font.
func FontFallback() []byte { return droidFallback }
