package clientagent

import (
	"encoding/json"
	"fmt"
)

// Text is c as the header of a recording has it.
func (c Config) Text() string {
	// A struct of ids, texts and numbers cannot fail.
	b, _ := json.Marshal(c)
	return string(b)
}

// ParseConfig reads what Text writes.
func ParseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Config{}, fmt.Errorf("clientagent: parse configuration: %w", err)
	}
	return c, nil
}
