package main

import "testing"

func TestOrders_letEachKindFollowEachEquallyOften(t *testing.T) {
	for legs, rounds := range orders {
		var starts []int
		for round := range len(rounds) {
			starts = append(starts, order(legs, round)...)
		}
		follows := map[[2]int]int{}
		for i, leg := range starts {
			follows[[2]int{leg, starts[(i+1)%len(starts)]}]++
		}
		for a := range legs {
			for b := range legs {
				if want := len(starts) / (legs * legs); follows[[2]int{a, b}] != want {
					t.Errorf("of %d kinds, %d follows %d %d times, want %d", legs, b, a, follows[[2]int{a, b}], want)
				}
			}
		}
		if most := createTimes * pairs; most%len(rounds) != 0 {
			t.Errorf("%d rounds end in the middle of the %d orders of %d kinds", most, len(rounds), legs)
		}
	}
}
