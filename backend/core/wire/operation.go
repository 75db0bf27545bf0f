package wire

import (
	"encoding/json"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Operation is something that takes time: what it does now, how far it is, how it ended.
type Operation struct {
	ID              id.Operation      `json:"id"`
	Kind            string            `json:"kind" doc:"For example vm.create"`
	Tenant          id.Tenant         `json:"tenant"`
	Subject         string            `json:"subject" doc:"What it acts on, for example vm/ID"`
	SubjectName     string            `json:"subject_name" doc:"Its name when the operation began; empty for what began before names were kept"`
	Caller          string            `json:"caller" doc:"Who asked"`
	Status          string            `json:"status" enum:"queued,running,undoing,succeeded,failed,canceled,stuck"`
	Step            int               `json:"step" doc:"Index of the present step"`
	Steps           []string          `json:"steps" nullable:"false" doc:"The steps as sentences"`
	Progress        float64           `json:"progress" doc:"Of the whole, 0 to 1"`
	Sentence        string            `json:"sentence" doc:"What happens now"`
	CancelRequested bool              `json:"cancel_requested" doc:"Somebody asked to cancel it"`
	Error           *OperationProblem `json:"error,omitempty" doc:"Why it failed, or what keeps it stuck"`
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
	EndedAt         *time.Time        `json:"ended_at,omitempty"`
}

// Ended reports whether nothing more will happen.
func (o Operation) Ended() bool { return o.EndedAt != nil }

// Succeeded reports whether it did what was asked.
func (o Operation) Succeeded() bool { return o.Status == "succeeded" }

// OperationProblem is why an operation failed.
type OperationProblem struct {
	Kind    fault.Kind `json:"kind"`
	Code    string     `json:"code"`
	Message string     `json:"message"`
}

// OperationAnswer is an operation alone, where nothing else is left to tell.
type OperationAnswer struct {
	Operation *Operation `json:"operation,omitempty"`
}

// Event is something that happened.
type Event struct {
	ID      string          `json:"id,omitempty" doc:"Cursor behind this event; absent: not kept, not replayed"`
	Type    string          `json:"type" doc:"For example vm.state"`
	Time    time.Time       `json:"time"`
	Tenant  id.Tenant       `json:"tenant"`
	Subject string          `json:"subject" doc:"What it happened to, for example vm/ID"`
	Data    json.RawMessage `json:"data"`
}

// List is a page of a list.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor" doc:"Ask for the next page with it; empty: this was the last"`
	Total      int    `json:"total" doc:"Of all pages, under the same filter"`
}

// Problem is how the API says no (RFC 9457).
type Problem struct {
	Type      string       `json:"type" doc:"about:blank"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail" doc:"One sentence: the fact and the way out"`
	Code      string       `json:"code" doc:"Short and stable, for programs"`
	Field     string       `json:"field,omitempty" doc:"The request field at fault"`
	Fields    []FieldFault `json:"fields,omitempty" doc:"All request fields at fault, where there are several"`
	RequestID string       `json:"request_id"`
	Operation *Operation   `json:"operation,omitempty" doc:"The operation that failed, with wait"`
}

// FieldFault is what is wrong with one field of a request.
type FieldFault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}
