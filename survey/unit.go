package survey

import "time"

// Unit is an office that is rated (cơ quan, đơn vị). Units are keyed by ID,
// never by name: names repeat.
type Unit struct {
	ID string `json:"id" validate:"required,code"`
	// Code is the official code as text; leading zeros matter.
	Code string `json:"code,omitempty" validate:"max=40"`
	Name Text   `json:"name" validate:"text"`
	// Type is also the group within which units are ranked: so (department),
	// huyen (district, until 30/6/2025), xa (commune), center …
	Type   string `json:"type" validate:"required,code"`
	Parent string `json:"parent,omitempty" validate:"omitempty,code"`
	// ValidFrom and ValidTo are the first and last day on which the unit
	// exists; empty means open.
	ValidFrom Date `json:"valid_from,omitempty" validate:"omitempty,datetime=2006-01-02"`
	ValidTo   Date `json:"valid_to,omitempty" validate:"omitempty,datetime=2006-01-02"`
	// Successors took over the unit's work; one old commune may have several,
	// several may share one.
	Successors []string `json:"successors,omitempty" validate:"max=200,dive,code"`
	// Hotline and Leader are shown to people who have answered.
	Hotline string `json:"hotline,omitempty" validate:"max=100"`
	Leader  string `json:"leader,omitempty" validate:"max=200"`
	// Board puts the unit's published figures on a page for everybody, for a screen in
	// its hall: /board/{unit}. Changes is what it shows beside them: what the office
	// has changed because of what people said.
	Board   bool `json:"board,omitempty"`
	Changes Text `json:"changes,omitempty" validate:"omitempty,text"`
	// Verified says that name and code were compared with their source.
	Verified bool `json:"verified"`
}

// ExistsOn reports whether the unit exists on the day.
func (u *Unit) ExistsOn(d Date) bool { return within(d, u.ValidFrom, u.ValidTo) }

// Desk is a place where people are served; its code is on the wall (quầy, bộ
// phận một cửa).
type Desk struct {
	// ID is the short code in the QR address, which people can also type.
	ID   string `json:"id" validate:"required,desk"`
	Unit string `json:"unit" validate:"required,code"`
	Name Text   `json:"name" validate:"text"`
	// Fields are the service fields of the desk; with one, every answer is
	// about it, with several the form asks.
	Fields    []string `json:"fields,omitempty" validate:"max=50,dive,code"`
	ValidFrom Date     `json:"valid_from,omitempty" validate:"omitempty,datetime=2006-01-02"`
	ValidTo   Date     `json:"valid_to,omitempty" validate:"omitempty,datetime=2006-01-02"`
}

// ExistsAt reports whether the desk is in service at t.
func (d *Desk) ExistsAt(t time.Time) bool { return within(DateOf(t), d.ValidFrom, d.ValidTo) }

// ServiceField is an area of service (lĩnh vực).
type ServiceField struct {
	ID   string `json:"id" validate:"required,code"`
	Name Text   `json:"name" validate:"text"`
}

// Procedure is an administrative procedure (TTHC), "1.001122" or
// "1.001122.000.00.00.H48".
type Procedure struct {
	ID    string `json:"id" validate:"required,code"`
	Field string `json:"field" validate:"required,code"`
	Name  Text   `json:"name" validate:"text"`
}

func within(d, from, to Date) bool {
	return (from == "" || d >= from) && (to == "" || d <= to)
}
