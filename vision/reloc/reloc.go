// Package reloc knows points again by what they look like: 256-bit descriptors, found by hashing.
//
// An Index is owned by one goroutine. It holds no pictures, and a picture cannot be made from it.
package reloc

import "math/bits"

// Descriptor is what a point looks like: 256 comparisons of brightness around it (ORB).
type Descriptor [4]uint64

// Distance is in how many of the 256 comparisons two descriptors differ.
func (d Descriptor) Distance(e Descriptor) int {
	return bits.OnesCount64(d[0]^e[0]) + bits.OnesCount64(d[1]^e[1]) + bits.OnesCount64(d[2]^e[2]) + bits.OnesCount64(d[3]^e[3])
}

// Limits of a match.
const (
	// Most is in how many bits of 256 two descriptors of one point may differ: chance alone differs in 128
	// with a deviation of 8 (Calonder et al., BRIEF, 2010, have the two distributions meet near 64).
	Most = 64
	// ratio is Lowe's: the best match must be this much nearer than the best of another place (Lowe, 2004).
	ratio = 0.85
	// doubtful is from where a second place no longer casts doubt on any match: Most/ratio.
	doubtful = 76
)

// The hash tables: each keys a descriptor by 12 bits of it. Of two descriptors that differ in 30 of 256 bits
// one table finds 22 %, ten find 91 %.
const (
	tables  = 10
	keyBits = 12
)

// Index finds descriptors that are alike. The zero value is empty and ready.
type Index struct {
	buckets [tables][1 << keyBits][]int32
	seen    []Descriptor
	points  []int64
	of      map[int64][]int32
}

// Len is how many descriptors it holds.
func (x *Index) Len() int { return len(x.seen) }

// Add puts a descriptor of a point into the index.
func (x *Index) Add(point int64, d Descriptor) {
	k := int32(len(x.seen))
	x.seen, x.points = append(x.seen, d), append(x.points, point)
	if x.of == nil {
		x.of = map[int64][]int32{}
	}
	x.of[point] = append(x.of[point], k)
	for t := range tables {
		b := &x.buckets[t][key(d, t)]
		*b = append(*b, k)
	}
}

// key takes the table's bits of a descriptor.
func key(d Descriptor, table int) uint64 {
	at := table * keyBits
	w, shift := at/64, at%64
	v := d[w] >> shift
	if shift > 64-keyBits {
		v |= d[w+1] << (64 - shift)
	}
	return v & (1<<keyBits - 1)
}

// Best returns the point that looks most like any of the descriptors of one thing. others says whether two
// points are at different places, so that neighbours do not make each other doubtful; accept leaves out
// points that are not wanted. False where none is alike, or where another place is nearly as much so.
func (x *Index) Best(ds []Descriptor, accept func(int64) bool, others func(a, b int64) bool) (point int64, ok bool) {
	best, second := Most+1, doubtful
	for _, d := range ds {
		for t := range tables {
			for _, k := range x.buckets[t][key(d, t)] {
				dist, p := d.Distance(x.seen[k]), x.points[k]
				switch {
				case dist >= second || !accept(p):
				case dist < best:
					if best <= Most && p != point && others(p, point) {
						second = best
					}
					best, point = dist, p
				case p != point && others(p, point):
					second = dist
				}
			}
		}
	}
	return point, best <= Most && float64(best) <= ratio*float64(second)
}

// Distance is in how many bits a thing of several descriptors and a point differ at least; 256 for a point
// that is not in the index.
func (x *Index) Distance(point int64, ds []Descriptor) int {
	least := 256
	for _, k := range x.of[point] {
		for _, d := range ds {
			least = min(least, d.Distance(x.seen[k]))
		}
	}
	return least
}

// Of returns the descriptors of a point, in the order they were added.
func (x *Index) Of(point int64) []Descriptor {
	out := make([]Descriptor, 0, len(x.of[point]))
	for _, k := range x.of[point] {
		out = append(out, x.seen[k])
	}
	return out
}

// Each calls f with everything in the index, in the order it was added.
func (x *Index) Each(f func(point int64, d Descriptor)) {
	for i, d := range x.seen {
		f(x.points[i], d)
	}
}
