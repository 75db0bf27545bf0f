package api

//go:generate sh -c "go run novacron/backend/cmd/novacron openapi > openapi.json"

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

var problemType = reflect.TypeFor[Problem]()

// OpenAPI is the description of the API as it is checked in, from the typed handlers alone.
func OpenAPI() ([]byte, error) {
	a, err := build(Deps{})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, a.spec, "", "  "); err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// render makes the two forms of the description once; they never change while a server runs.
func (a *API) render() (err error) {
	if a.spec, err = json.Marshal(a.huma.OpenAPI()); err != nil {
		return fmt.Errorf("description: %w", err)
	}
	var page bytes.Buffer
	if err := docsPage.Execute(&page, a.sections()); err != nil {
		return fmt.Errorf("description: %w", err)
	}
	a.docs = page.Bytes()
	// Its one style is let in by what it says.
	_, style, _ := strings.Cut(page.String(), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	a.docsPolicy = contentPolicy + "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return nil
}

//go:embed docs.html
var docsSource string

var docsPage = template.Must(template.New("docs").Parse(docsSource))

type docSection struct {
	Name   string
	Routes []docRoute
}

type docRoute struct {
	Method, Path, Summary, ID string
	Open                      bool
	Parameters                []docField
	Body                      []docField
}

type docField struct {
	Name, Type, Doc string
	Required        bool
}

// sections sorts the routes by group for the page that people read. It needs no script and nothing from elsewhere.
func (a *API) sections() []docSection {
	var all []docSection
	for path, item := range a.huma.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "HEAD": item.Head, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if o == nil {
				continue
			}
			i := slices.IndexFunc(all, func(s docSection) bool { return s.Name == o.Tags[0] })
			if i < 0 {
				i, all = len(all), append(all, docSection{Name: o.Tags[0]})
			}
			all[i].Routes = append(all[i].Routes, a.document(method, path, o))
		}
	}
	slices.SortFunc(all, func(x, y docSection) int { return strings.Compare(x.Name, y.Name) })
	for _, s := range all {
		slices.SortFunc(s.Routes, func(x, y docRoute) int { return strings.Compare(x.Path+x.Method, y.Path+y.Method) })
	}
	return all
}

func (a *API) document(method, path string, o *huma.Operation) docRoute {
	r := docRoute{Method: method, Path: path, Summary: o.Summary, ID: o.OperationID, Open: len(o.Security) == 0}
	for _, p := range o.Parameters {
		r.Parameters = append(r.Parameters, docField{Name: p.Name, Type: p.In, Doc: p.Description, Required: p.Required})
	}
	if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
		return r
	}
	schema := o.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	for name, p := range schema.Properties {
		kind := p.Type
		if p.Ref != "" {
			kind = p.Ref[strings.LastIndexByte(p.Ref, '/')+1:]
		}
		r.Body = append(r.Body, docField{Name: name, Type: kind, Doc: p.Description, Required: slices.Contains(schema.Required, name)})
	}
	slices.SortFunc(r.Body, func(x, y docField) int { return strings.Compare(x.Name, y.Name) })
	return r
}
