package mqtt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"sightline/devices"
)

// PublisherConfig is what a Publisher needs. URL must be set.
type PublisherConfig struct {
	URL      string // of the broker: tcp://host:1883
	ClientID string // empty: the broker gives one
	Logger   *slog.Logger
	// WillAlarm, where it is not empty, is the machine whose alarm "connection" the broker raises when
	// this publisher is lost.
	WillAlarm string
}

// Publisher is the plant's side: machines that say what they are and what they measure. It connects, and
// comes back, by itself, and then says all births again. Its methods may be called from any goroutine.
type Publisher struct {
	client paho.Client
	log    *slog.Logger

	mu     sync.Mutex
	births map[string][]byte // by topic
}

// ErrOffline is returned for what is not kept while the broker is away: values and alarms.
var ErrOffline = errors.New("offline: the broker is not connected")

const connection = "connection"

// NewPublisher begins to connect. A broker that cannot be reached is tried again until Close.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	p := &Publisher{log: cfg.Logger, births: map[string][]byte{}}
	opts, err := options(cfg.URL, cfg.ClientID, cfg.Logger)
	if err != nil {
		return nil, err
	}
	will := alarmTopic(cfg.WillAlarm, connection)
	if cfg.WillAlarm != "" {
		if err := checkMachine(cfg.WillAlarm); err != nil {
			return nil, err
		}
		opts.SetWill(will, `{"active":true,"text":"connection lost"}`, 1, true)
	}
	opts.SetOnConnectHandler(func(c paho.Client) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for topic, payload := range p.births {
			c.Publish(topic, 1, true, payload)
		}
		if cfg.WillAlarm != "" {
			c.Publish(will, 1, true, `{"active":false,"text":"connected"}`)
		}
	})
	p.client = paho.NewClient(opts)
	p.client.Connect()
	return p, nil
}

// Close waits shortly until what was published has left, and ends the connection.
func (p *Publisher) Close() { p.client.Disconnect(250) }

// WaitConnected waits until the broker is connected.
func (p *Publisher) WaitConnected(ctx context.Context) error { return waitConnected(ctx, p.client) }

// Birth says what a machine is, retained, now or as soon as the broker is there, and after every
// reconnection again.
func (p *Publisher) Birth(m devices.Machine) error {
	if err := checkMachine(m.Name); err != nil {
		return err
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("birth of %s: %w", m.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	topic := root + "/" + m.Name + "/" + birth
	p.births[topic] = payload
	if p.client.IsConnectionOpen() {
		p.client.Publish(topic, 1, true, payload)
	}
	return nil
}

// Value publishes a value, retained: a number, a text or a bool, measured at that time. An empty quality
// is good. It does not wait for the broker's answer.
func (p *Publisher) Value(machine, tag string, v any, at time.Time, q devices.Quality) error {
	return p.publish(root+"/"+machine+"/"+tag, machine, map[string]any{"value": v,
		"time": float64(at.UnixMicro()) / 1000, "quality": cmp.Or(q, devices.Good)})
}

// Alarm raises or clears an alarm of the machine's own, retained.
func (p *Publisher) Alarm(machine, name string, active bool, text string, at time.Time) error {
	return p.publish(alarmTopic(machine, name), machine, map[string]any{"active": active, "text": text,
		"time": float64(at.UnixMicro()) / 1000})
}

func (p *Publisher) publish(topic, machine string, body any) error {
	if err := checkMachine(machine); err != nil {
		return err
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("value for %s: %w", topic, err)
	}
	if !p.client.IsConnectionOpen() {
		return ErrOffline
	}
	p.client.Publish(topic, 0, true, payload)
	return nil
}

func alarmTopic(machine, name string) string { return root + "/" + machine + "/" + alarm + "/" + name }
