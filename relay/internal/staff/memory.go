package staff

import (
	"context"
	"sync"
	"time"
)

// memory keeps the sign-ins of one relay.
type memory struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	data  []byte
	until time.Time
}

// Put fails where too many have begun.
func (m *memory) Put(_ context.Context, state string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, old := range m.kept {
		if m.now().After(old.until) {
			delete(m.kept, s)
		}
	}
	if len(m.kept) >= maxBegun {
		return errBusy
	}
	m.kept[state] = kept{data, m.now().Add(BeginTime)}
	return nil
}

// Take takes one out.
func (m *memory) Take(_ context.Context, state string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.kept[state]
	delete(m.kept, state)
	return one.data, nil
}
