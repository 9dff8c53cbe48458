import { testRow } from './row.ts'

testRow('pi')
