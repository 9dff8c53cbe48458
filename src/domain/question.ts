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

/** The key of the line that answers a question. */
export function answerKey(question: string): string {
  return `answer:${question}`
}

/** Those that no line has answered yet, by the keys of all lines that were said. */
export function findOpen(
  questions: readonly Question[],
  said: ReadonlySet<string>,
): readonly Question[] {
  return questions.filter(({ id }) => !said.has(answerKey(id)))
}
