/**
 * Gathers what many ask for in the same moment, so that it is done at once. All attempts are looked
 * at by one tick: two hundred of them would else be two hundred transactions.
 */
export function gather<Item, Answer>(
  work: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  let waiting: {
    item: Item
    resolve: (answer: Answer) => void
    reject: (error: unknown) => void
  }[] = []
  const flush = async () => {
    const batch = waiting
    waiting = []
    try {
      const answers = await work(batch.map(({ item }) => item))
      // Each item has its answer: `work` promises one for one.
      for (const [n, { resolve }] of batch.entries()) resolve(answers[n] as Answer)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
  return item =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ item, resolve, reject })
    })
}
