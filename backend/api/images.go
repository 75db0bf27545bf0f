package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// Bounds of one request of an upload.
const (
	maxUploadPart = 64 << 30         // bytes; who sends all at once may
	uploadIdle    = 60 * time.Second // without a byte
)

func (a *API) addImages() {
	const tag = "Images"
	add(a, may(auth.ReadImage), "GET /api/v1/images", op("listImages", "List images", tag), func(ctx context.Context, in *struct {
		Lister
		Name string `query:"name" maxLength:"100" doc:"Part of the name"`
	}) (*body[wire.List[wire.Image]], error) {
		return answer(a.App.ListImages(ctx, caller(ctx), app.ListImages{ListRequest: in.request(), Name: in.Name}))
	})
	add(a, may(auth.WriteImage), "POST /api/v1/images", op("createImage", "Import an image, or begin its upload", tag), func(ctx context.Context, in *struct {
		Waiter
		Body wire.CreateImage
	}) (*imageAnswer, error) {
		res, err := a.App.ImportImage(ctx, caller(ctx), app.ImportImage{CreateImage: in.Body})
		return a.answerImage(ctx, res, err, in.Wait)
	})
	add(a, may(auth.ReadImage), "GET /api/v1/images/{id}", op("getImage", "Show an image", tag), func(ctx context.Context, in *Ref) (*body[wire.Image], error) {
		return answer(a.App.Image(ctx, caller(ctx), in.ID))
	})
	add(a, may(auth.WriteImage), "DELETE /api/v1/images/{id}", op("deleteImage", "Delete an image that no VM needs", tag), func(ctx context.Context, in *Act) (*operationAnswer, error) {
		res, err := a.App.DeleteImage(ctx, caller(ctx), in.ID)
		return a.answerGone(ctx, res.Operation, err, in.Wait)
	})
	add(a, may(auth.ReadImage), "GET /api/v1/catalogue", op("listCatalogue", "List the images that distributions publish", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.CatalogueEntry]], error) {
		all, err := a.App.CatalogueEntries(caller(ctx))
		return answer(wire.List[wire.CatalogueEntry]{Items: all, Total: len(all)}, err)
	})
	a.raw(may(auth.ReadImage), "HEAD /api/v1/images/{id}/data", false, a.uploadOffset)
	a.raw(may(auth.WriteImage), "PATCH /api/v1/images/{id}/data", true, a.upload)
	a.describeUpload(tag)
}

// uploadOffset says how many bytes of an upload are on the disk.
func (a *API) uploadOffset(w http.ResponseWriter, r *http.Request) {
	img, err := a.App.ImageUpload(r.Context(), caller(r.Context()), r.PathValue("id"))
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(img.UploadOffset, 10))
	w.Header().Set("Upload-Length", strconv.FormatInt(img.UploadBytes, 10))
}

// upload takes the bytes behind Upload-Offset as they come. What arrived before the line broke stays.
func (a *API) upload(w http.ResponseWriter, r *http.Request) {
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		writeProblem(w, r, fault.New(fault.Invalid, "upload_offset_missing", "say in Upload-Offset where the bytes belong; HEAD on the same path gives what has arrived").On("Upload-Offset"))
		return
	}
	content := &patient{r: http.MaxBytesReader(w, r.Body, maxUploadPart), rc: http.NewResponseController(w)}
	res, err := a.App.AppendUpload(r.Context(), caller(r.Context()), r.PathValue("id"), offset, content)
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	code := http.StatusOK
	if res.Operation != nil {
		code = http.StatusAccepted
		w.Header().Set("Location", "/api/v1/operations/"+string(res.Operation.ID))
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(res.Image.UploadOffset, 10))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(wire.ImageAnswer{Image: res.Image, Operation: res.Operation}) // the status is sent
}

// patient reads a body that may take hours, as long as something comes within uploadIdle.
type patient struct {
	r  io.Reader
	rc *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	if err := until(p.rc.SetReadDeadline, uploadIdle); err != nil {
		return 0, err
	}
	if err := until(p.rc.SetWriteDeadline, uploadIdle+writeTime); err != nil { // the answer comes after the last byte
		return 0, err
	}
	return p.r.Read(b)
}

// describeUpload puts the two plain routes into the description.
func (a *API) describeUpload(tag string) {
	schemas := a.huma.OpenAPI().Components.Schemas
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}
	offset := &huma.Param{Name: "Upload-Offset", In: "header", Required: true, Schema: &huma.Schema{Type: "integer", Format: "int64"}, Description: "Where the bytes belong"}
	arrived := map[string]*huma.Param{"Upload-Offset": {Schema: &huma.Schema{Type: "integer", Format: "int64"}, Description: "Bytes that are on the disk"}}
	secured := []map[string][]string{{"token": {}}}
	ok := map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[wire.ImageAnswer](), true, "ImageAnswer")}}
	a.huma.OpenAPI().AddOperation(&huma.Operation{Method: http.MethodPatch, Path: "/api/v1/images/{id}/data", OperationID: "uploadImage", Summary: "Send bytes of an upload", Tags: []string{tag},
		Security: secured, Parameters: []*huma.Param{id, offset},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/offset+octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}},
		Responses: map[string]*huma.Response{"200": {Description: "More is to come", Headers: arrived, Content: ok}, "202": {Description: "All is here; the import has begun", Headers: arrived, Content: ok},
			"default": problemResponse(a)}})
	a.huma.OpenAPI().AddOperation(&huma.Operation{Method: http.MethodHead, Path: "/api/v1/images/{id}/data", OperationID: "getUpload", Summary: "Ask how much of an upload has arrived", Tags: []string{tag},
		Security: secured, Parameters: []*huma.Param{id}, Responses: map[string]*huma.Response{"200": {Description: "In Upload-Offset", Headers: arrived}, "default": problemResponse(a)}})
}
