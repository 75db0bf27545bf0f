//go:build !race

package optest

// raceDetector says that the test was built with -race.
const raceDetector = false
