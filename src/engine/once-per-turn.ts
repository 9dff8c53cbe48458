/**
 * Asks once for all who ask in the same turn of the event loop, as two hundred attempts do at a tick.
 * An answer may be as old as its turn: what comes meanwhile shows in the next.
 */
export function oncePerTurn<Answer>(ask: () => Answer): () => Answer {
  let known: { readonly answer: Answer } | undefined
  return () => {
    if (known === undefined) {
      known = { answer: ask() }
      setImmediate(() => {
        known = undefined
      })
    }
    return known.answer
  }
}
