package geom

import "math"

// SolveSPD solves A·x = b for a symmetric positive definite A of n x n by rows, by Cholesky's
// decomposition. Only the lower triangle of a is read; a and b are overwritten, b with x. It returns
// false, with a and b spoiled, where A is not positive definite.
func SolveSPD(a []float64, b []float64) bool {
	if !cholesky(a, len(b)) {
		return false
	}
	backSolve(a, b)
	return true
}

// backSolve solves L·Lᵀ·x = b; b is overwritten with x.
func backSolve(a, b []float64) {
	n := len(b)
	for i := range n {
		s := b[i]
		for k := range i {
			s -= a[i*n+k] * b[k]
		}
		b[i] = s / a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		s := b[i]
		for k := i + 1; k < n; k++ {
			s -= a[k*n+i] * b[k]
		}
		b[i] = s / a[i*n+i]
	}
}

// cholesky replaces the lower triangle of a by L, where a = L·Lᵀ.
func cholesky(a []float64, n int) bool {
	for j := range n {
		row := a[j*n : j*n+j+1]
		d := row[j]
		for _, v := range row[:j] {
			d -= v * v
		}
		if !(d > 0) || math.IsInf(d, 0) {
			return false
		}
		d = math.Sqrt(d)
		row[j] = d
		for i := j + 1; i < n; i++ {
			other := a[i*n : i*n+j+1]
			s := other[j]
			for k, v := range row[:j] {
				s -= other[k] * v
			}
			other[j] = s / d
		}
	}
	return true
}

// InvertSPD returns the inverse of a symmetric positive definite n x n matrix, or false. a is kept.
func InvertSPD(a []float64, n int) ([]float64, bool) {
	inv := make([]float64, n*n)
	l, col := append([]float64(nil), a...), make([]float64, n)
	if !cholesky(l, n) {
		return nil, false
	}
	for j := range n {
		clear(col)
		col[j] = 1
		backSolve(l, col)
		for i := range n {
			inv[i*n+j] = col[i]
		}
	}
	return inv, true
}
