/** Reads what may be anything: what an agent sends is recorded, whatever it is, and never refused. */

export function fieldAt(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && key in value
    ? (value as Record<string, unknown>)[key]
    : undefined
}

export function listAt(value: unknown, key: string): readonly unknown[] {
  const field = fieldAt(value, key)
  return Array.isArray(field) ? field : []
}

export function textAt(value: unknown, key: string): string {
  const field = fieldAt(value, key)
  return typeof field === 'string' ? field : ''
}

/** The text of a message whose content is either one text, or parts of which some have a text. */
export function contentText(message: unknown): string {
  const texts = listAt(message, 'content').map(part => textAt(part, 'text'))
  return texts.filter(text => text !== '').join('\n') || textAt(message, 'content')
}
