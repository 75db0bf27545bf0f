package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"novacron/backend/store"
)

// scrapeTimeout bounds what one scrape may cost the store.
const scrapeTimeout = 2 * time.Second

// metrics serves what this server is and knows, in Prometheus' text format.
func (s *Server) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &census{
		db:     s.db,
		vms:    prometheus.NewDesc("novacron_vms", "VMs by status.", []string{"status"}, nil),
		nodes:  prometheus.NewDesc("novacron_nodes", "Nodes by state.", []string{"state"}, nil),
		ops:    prometheus.NewDesc("novacron_operations", "Operations by status; ended ones are kept for a while only.", []string{"status"}, nil),
		up:     prometheus.NewDesc("novacron_store_up", "1 when the database answered this scrape.", nil, nil),
		server: prometheus.NewDesc("novacron_build_info", "Always 1; the label tells the version.", []string{"version"}, nil), version: s.o.Version,
	})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 2 * scrapeTimeout})
}

// census counts rows at each scrape: there is no second account of them that could be wrong.
type census struct {
	db                          *store.DB
	vms, nodes, ops, up, server *prometheus.Desc
	version                     string
}

// Describe implements prometheus.Collector.
func (c *census) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.vms, c.nodes, c.ops, c.up, c.server} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Without the database only novacron_store_up and the version are told.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.server, prometheus.GaugeValue, 1, c.version)
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	n, err := c.db.Counts(ctx)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 1)
	for desc, counts := range map[*prometheus.Desc]map[string]int{c.vms: n.VMs, c.nodes: n.Nodes, c.ops: n.Operations} {
		for label, rows := range counts {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(rows), label)
		}
	}
}
