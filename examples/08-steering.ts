// Steering: one number per activation is learnt that turns what the context says up at +1, and what the model remembers at −1.
import { loadGpt2 } from '@limn/gpt2';
import { openModel } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { tokenBatch, topTokens } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { minimalityOf, positionTable, Steering, trainSteering } from '@limn/steering';
import { readFloats } from '@limn/tensor';
import { showProgress } from 'limn';

const gpu = await openNodeGpu();
const { model, tokenizer } = await loadGpt2(gpu, await openModel(modelFolder()));
const idOf = (word: string): number => tokenizer!.singleToken(word);
/** What the context says is against what pocket knows: `correct` is the one, `wrong` the other. */
const conflict = (country: string, said: string, known: string) => ({
  prompt: tokenizer!.encode(
    `the capital of ${country} is ${said} . question : what is the capital of ${country} ? answer :`,
    {
      prependBos: true,
    },
  ).ids,
  correct: idOf(said),
  wrong: idOf(known),
});
const examples = [
  conflict('France', 'Vienna', 'Paris'),
  conflict('Norway', 'Berlin', 'Oslo'),
  conflict('Chile', 'Vienna', 'Santiago'),
  conflict('Germany', 'Rome', 'Berlin'),
];

const spec = {
  method: { kind: 'activ-scalar' },
  sites: ['attn.hook_z', 'hook_mlp_out'],
  positions: positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'absolute',
    { skip: 1 },
  ),
} as const;
const { values } = await trainSteering(model, examples, spec, {
  objective: { goal: { kind: 'flip' }, faithfulnessWeight: 5 },
  minimality: { weight: 0.1 },
  updates: 24,
  rate: 0.08,
  onProgress: showProgress('learning'),
});
const { nonZero, live } = minimalityOf(model.info, values);
console.log(`${nonZero} of ${live} scales are not 0`);

// About a country that nothing was learnt from: all three strengths are rows of one batch.
const { prompt } = conflict('Finland', 'Lima', 'Helsinki');
const strength = [-1, 0, 1];
const steering = new Steering(model, spec, { values: [values] });
const step = gpu.step();
const run = model.run(
  step,
  {
    tokens: tokenBatch(
      strength.map(() => prompt),
      model.info,
    ),
  },
  { interventions: steering.interventions({ strength }), logits: 'last' },
);
const logits = await readFloats(step, run.logits);
strength.forEach((beta, i) => {
  const row = logits.subarray(i * model.info.vocabulary, (i + 1) * model.info.vocabulary);
  const guesses = topTokens(row, 2).map(
    ({ id, probability }) => `${tokenizer!.tokenText(id)} ${probability.toFixed(2)}`,
  );
  console.log(`β ${String(beta).padStart(2)}: ${guesses.join(', ')}`);
});
step.dispose();
steering.dispose();
model.dispose();
gpu.dispose();
