package sim

import (
	"math"

	"sightline/devices"
)

// The names of the plant's machines.
const (
	Pump = "hall1/pump-7"
	Tank = "hall1/tank-12"
)

// Machines returns the births of the plant's machines: units, limits, markers.
func Machines() []devices.Machine {
	return []devices.Machine{
		{Name: Pump, Title: "Feed pump P-7", Marker: MarkerPump, MarkerSize: markerSizes[MarkerPump], SilentAfter: 3, Tags: map[string]devices.Tag{
			"pressure":    {Title: "Discharge pressure", Unit: "bar", High: num(8), Min: num(0), Max: num(10)},
			"temperature": {Title: "Bearing temperature", Unit: "°C", High: num(90), Min: num(0), Max: num(120)},
			"vibration":   {Title: "Vibration", Unit: "mm/s", High: num(7.1), Min: num(0), Max: num(12)},
			"speed":       {Title: "Speed", Unit: "1/min", Min: num(0), Max: num(1500)},
			"valve":       {Title: "Discharge valve"},
			"suction":     {Title: "Suction pressure", Unit: "bar", Low: num(0.8), Min: num(0), Max: num(4)},
		}},
		{Name: Tank, Title: "Condensate tank T-12", Marker: MarkerTank, MarkerSize: markerSizes[MarkerTank], SilentAfter: 3, Tags: map[string]devices.Tag{
			"level":       {Title: "Level", Unit: "%", Low: num(15), High: num(85), Min: num(0), Max: num(100)},
			"temperature": {Title: "Temperature", Unit: "°C", High: num(95), Min: num(0), Max: num(120)},
		}},
	}
}

func num(v float64) *float64 { return &v }

// Value is what a machine's tag reads t seconds after the plant was started: a number, or a word for
// the valve. The pump's bearing runs hot in the second half of every minute.
func Value(machine, tag string, t float64) (number float64, word string) {
	switch machine + "/" + tag {
	case Pump + "/pressure":
		return 6.1 + 0.5*math.Sin(t/7) + 0.15*math.Sin(t*1.9), ""
	case Pump + "/temperature":
		return 71 + 3*math.Sin(t/13) + 24*math.Exp(-math.Pow((math.Mod(t, 60)-42)/8, 2)), ""
	case Pump + "/vibration":
		return 2.9 + 0.6*math.Sin(t/3.1) + 0.3*math.Sin(t*2.7), ""
	case Pump + "/speed":
		return 1474 + 4*math.Sin(t/2.3), ""
	case Pump + "/suction":
		return 1.7 + 0.2*math.Sin(t/9), ""
	case Pump + "/valve":
		if math.Mod(t, 50) > 35 {
			return 0, "throttled"
		}
		return 0, "open"
	case Tank + "/level":
		return 62 + 9*math.Sin(t/19), ""
	case Tank + "/temperature":
		return 78 + 2*math.Sin(t/11), ""
	}
	return 0, ""
}

// gaugeValue is what a dial in the picture shows.
func gaugeValue(tag string, t float64) float64 {
	v, _ := Value(Pump, tag, t)
	return v
}
