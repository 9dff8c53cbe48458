import { describe, expect, it } from 'vitest'
import { chooseAnswer } from '../../src/engine/answer.ts'

const question = (...labels: string[]) => ({
  id: 'q',
  text: 'How many?',
  options: labels.map(label => ({ id: label, label })),
})

describe('an answer', () => {
  it.each([
    ['2', 'Reject'],
    ['#2', 'Reject'],
    [' reject ', 'Reject'],
    ['Allow', 'Allow'],
  ])('is a number or a name: %j', (words, text) => {
    expect(chooseAnswer(question('Allow', 'Reject'), words).text).toBe(text)
  })

  it.each(['', ' ', '0', '3', '#3', 'Allow it'])('is not %j', words => {
    expect(() => chooseAnswer(question('Allow', 'Reject'), words)).toThrow(/answer/)
  })

  it('that is the number of one, and the name of another, is not guessed', () => {
    const asked = question('3', '5', '2', '4')
    expect(() => chooseAnswer(asked, '3')).toThrow(/the name of another/)
    expect(chooseAnswer(asked, '#3').text).toBe('2')
    expect(chooseAnswer(asked, '4').text).toBe('4')
    expect(chooseAnswer(asked, '5').text).toBe('5')
  })
})
