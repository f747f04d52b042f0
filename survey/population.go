package survey

// Population is what one unit handled in the period of a round: the source of
// the weights (số giao dịch).
type Population struct {
	Round string `json:"round" validate:"required,code"`
	Unit  string `json:"unit" validate:"required,code"`
	// Cells of a visitors round: results returned. All cells of a unit are
	// equally fine: they name the same of field, desk and filing.
	Cells []PopulationCell `json:"cells,omitempty" validate:"max=10000,dive"`
	// Stages of a drawn round: from how many each sampling unit was drawn.
	Stages []Stage `json:"stages,omitempty" validate:"max=100000,dive"`
	// Slips is how many slips were issued for the unit's desks; see [NewSlip].
	Slips int `json:"slips,omitempty" validate:"gte=0,lte=1000000000"`
	// Unreachable is how many of the results no door of the round could reach.
	Unreachable int `json:"unreachable,omitempty" validate:"gte=0,lte=1000000000"`
}

// Key names the document, "round/unit".
func (p *Population) Key() string { return p.Round + "/" + p.Unit }

// PopulationCell counts the results returned in one service field, optionally
// at one desk and by one filing channel.
type PopulationCell struct {
	Field    string `json:"field,omitempty" validate:"omitempty,code"`
	Desk     string `json:"desk,omitempty" validate:"omitempty,desk"`
	Filing   string `json:"filing,omitempty" validate:"omitempty,oneof=counter online post"`
	Returned int    `json:"returned" validate:"gte=0,lte=1000000000"`
}

// Stage records the draw of one primary sampling unit (PSU).
type Stage struct {
	Stratum string `json:"stratum" validate:"required,max=100"`
	// StratumPSUs is how many PSUs the stratum has in the population; 0 when
	// the draw was with replacement.
	StratumPSUs int    `json:"stratum_psus" validate:"gte=0,lte=1000000000"`
	PSU         string `json:"psu" validate:"required,max=100"`
	// Size is how many people or transactions the PSU has in the population; 0
	// when all of them, or an unknown number, could be drawn.
	Size int `json:"size" validate:"gte=0,lte=1000000000"`
}
