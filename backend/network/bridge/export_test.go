package bridge

// CheckRules does at once what the fabric does every rulesCheck.
func (f *Fabric) CheckRules() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkRules()
}
