/** What was done and what came of it, counted by name. */
export class Tally {
  readonly #counts = new Map<string, number>()

  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  get lines(): readonly string[] {
    const names = [...this.#counts.keys()].sort()
    const width = Math.max(0, ...names.map(name => name.length))
    return names.map(name => `  ${name.padEnd(width)}  ${String(this.of(name)).padStart(6)}`)
  }
}
