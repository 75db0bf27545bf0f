/** The tags in what somebody typed, with spaces or commas between. */
export const tagsOf = (typed: string): string[] => typed.toLowerCase().split(/[\s,]+/).filter(Boolean)
