/** What an agent asks, and waits for: a permission, or a decision. */
export interface Question {
  /** Unique within the attempt. */
  readonly id: string
  readonly text: string
  /** What may be chosen; none: any words are an answer. */
  readonly options: readonly QuestionOption[]
}

export interface QuestionOption {
  readonly id: string
  readonly label: string
}
