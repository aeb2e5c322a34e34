// The pairs that make-upstream.py scores on pocket, as JSON on stdout: token ids of held-out prompts of two tasks.
import { generatePairs } from '@limn/tasks';

const pairs = ['ioi', 'greater-than'].flatMap((task) => generatePairs(task, { seed: 5, n: 3, split: 'held-out' }));
process.stdout.write(
  JSON.stringify(pairs.map(({ clean, corrupted, correct, incorrect }) => ({ clean, corrupted, correct, incorrect }))),
);
