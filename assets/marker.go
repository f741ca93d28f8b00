package assets

// markers4x4 are the first markers of OpenCV's DICT_4X4_50: sixteen cells by rows from the top left, the
// first in the highest bit, 1 is white. A border of one black cell surrounds them.
var markers4x4 = [...]uint16{
	0xb532, 0x0f9a, 0x332d, 0x9946, 0x549e, 0x79cd, 0x9e2e, 0xc4f2, 0xfeda, 0xcf56,
	0xf991, 0x11a7, 0x0eb7, 0x2a0f, 0x24b1, 0x263e, 0x4665, 0x6600, 0x6c5e, 0x76af,
	0x868b, 0xb02b, 0xccd5, 0xdd82, 0xfe47, 0x9471, 0xace4, 0xa554, 0x2123, 0x346f,
	0x4415, 0x57b2, 0x9ecf, 0xf0cb, 0x08ae, 0x0929, 0x1875, 0x04ff, 0x0df6, 0x1c5a,
	0x1718, 0x2a28, 0x328c, 0x38b2, 0x24e8, 0x2eeb, 0x2d3f, 0x4b64, 0x502e, 0x5013,
}

// Markers4x4 is how many markers there are.
const Markers4x4 = len(markers4x4)

// Marker4x4 returns the cells of an ArUco marker of DICT_4X4_50, by rows from the top left, the first in
// the highest bit. It returns 0, which is no marker, for an ID that is not one.
func Marker4x4(id int) uint16 {
	if id < 0 || id >= Markers4x4 {
		return 0
	}
	return markers4x4[id]
}
