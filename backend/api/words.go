package api

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2/validation"
)

// The library that checks requests against their schemas has words of its own; a user gets ours. They are variables of its package, set
// once before any route is made. Each stands behind the name of its field: "memory_mib: must be 16 or more".
func init() {
	for variable, words := range map[*string]string{
		&validation.MsgUnexpectedProperty:                 "is not known here; leave it out, or see /api/docs for the fields",
		&validation.MsgExpectedRFC3339DateTime:            "must be a date with time as in 2026-01-31T12:00:00Z",
		&validation.MsgExpectedRFC3339Date:                "must be a date as in 2026-01-31",
		&validation.MsgExpectedRFC3339Time:                "must be a time as in 12:00:00Z",
		&validation.MsgExpectedRFC5322Email:               "must be an e-mail address (%v)",
		&validation.MsgExpectedRFC5890Hostname:            "must be a host name",
		&validation.MsgExpectedRFC2673IPv4:                "must be an IPv4 address",
		&validation.MsgExpectedRFC2373IPv6:                "must be an IPv6 address",
		&validation.MsgExpectedRFCIPAddr:                  "must be an IP address",
		&validation.MsgExpectedRFC3986URI:                 "must be a URL (%v)",
		&validation.MsgExpectedRFC4122UUID:                "must be a UUID (%v)",
		&validation.MsgExpectedRegexp:                     "must be a regular expression (%v)",
		&validation.MsgExpectedDuration:                   "must be a duration as in 30s or 5m (%v)",
		&validation.MsgExpectedMatchAtLeastOneSchema:      "fits none of the forms that are allowed; see /api/docs",
		&validation.MsgExpectedMatchExactlyOneSchema:      "fits none of the forms that are allowed; see /api/docs",
		&validation.MsgExpectedNotMatchSchema:             "has a form that is not allowed; see /api/docs",
		&validation.MsgExpectedBoolean:                    "must be true or false",
		&validation.MsgExpectedNumber:                     "must be a number",
		&validation.MsgExpectedInteger:                    "must be a whole number",
		&validation.MsgExpectedString:                     "must be a text",
		&validation.MsgExpectedBase64String:               "must be base64",
		&validation.MsgExpectedArray:                      "must be a list",
		&validation.MsgExpectedObject:                     "must be an object",
		&validation.MsgExpectedArrayItemsUnique:           "must not hold the same item twice",
		&validation.MsgExpectedOneOf:                      `must be one of "%s"`,
		&validation.MsgExpectedMinimumNumber:              "must be %v or more",
		&validation.MsgExpectedExclusiveMinimumNumber:     "must be more than %v",
		&validation.MsgExpectedMaximumNumber:              "must be %v or less",
		&validation.MsgExpectedExclusiveMaximumNumber:     "must be less than %v",
		&validation.MsgExpectedNumberBeMultipleOf:         "must be a multiple of %v",
		&validation.MsgExpectedMinLength:                  "must have %d characters or more",
		&validation.MsgExpectedMaxLength:                  "must have %d characters or fewer",
		&validation.MsgExpectedBePattern:                  "must be %s",
		&validation.MsgExpectedMatchPattern:               "must match %s",
		&validation.MsgExpectedMinItems:                   "must have %d items or more",
		&validation.MsgExpectedMaxItems:                   "must have %d items or fewer",
		&validation.MsgExpectedMinProperties:              "must have %d fields or more",
		&validation.MsgExpectedMaxProperties:              "must have %d fields or fewer",
		&validation.MsgExpectedRequiredProperty:           "%s is missing; give it",
		&validation.MsgExpectedDependentRequiredProperty:  "%s is missing; it is needed together with %s",
		&validation.MsgExpectedPropertyNameInObject:       "must hold the field that tells its form; see /api/docs",
		&validation.MsgExpectedRFC1123DateTime:            "must be a date as in Sat, 31 Jan 2026 12:00:00 GMT",
		&validation.MsgExpectedRFC6570URITemplate:         "must be a URI template",
		&validation.MsgExpectedRFC6901JSONPointer:         "must be a JSON pointer",
		&validation.MsgExpectedRFC6901RelativeJSONPointer: "must be a relative JSON pointer",
	} {
		*variable = words
	}
}

// parameterWords are for parameters of the path and the query, about which the library's words are constants.
var parameterWords = map[string]string{
	"invalid integer":         "must be a whole number",
	"invalid float":           "must be a number",
	"invalid boolean":         "must be true or false",
	"unknown query parameter": "is not known here; leave it out, or see /api/docs for the parameters",
	"expected at most one value, but received multiple values": "is given several times; give it once",
	"required query parameter is missing":                      "is missing; give it",
	"required header parameter is missing":                     "is missing; give it",
}

// sentenceOf is ours for what the library refuses as a whole, before it looks at single fields; empty: it names fields. words are its own,
// and cause what the decoder said.
func sentenceOf(status int, words, cause string) string {
	switch status {
	case http.StatusBadRequest:
		if cause == "" {
			return "the request has no body; send one JSON object with Content-Type: application/json"
		}
		return "the body of the request cannot be read as JSON (" + cause + "); send one JSON object"
	case http.StatusRequestEntityTooLarge:
		var limit int64
		if _, err := fmt.Sscanf(words, "request body is too large limit=%d bytes", &limit); err == nil {
			return fmt.Sprintf("the body of the request has more than the %d bytes that this path takes; send less", limit)
		}
		return "the body of the request is larger than this path takes; send less"
	case http.StatusUnsupportedMediaType:
		return "the body of the request has a type that is not taken here; send JSON with Content-Type: application/json"
	case http.StatusRequestTimeout:
		return "the body of the request did not arrive in time; send it again, over a quicker line"
	case http.StatusNotAcceptable:
		return "this path answers in JSON only; send Accept: application/json, or leave it out"
	}
	return ""
}
