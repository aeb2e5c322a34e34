// A sweep: clean activations are put into a corrupted run, one layer and position after another, to see where the answer passes through.
import { loadGpt2 } from '@limn/gpt2';
import { openModel } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { getActPatchResidPre, logitDifference } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { showProgress } from 'limn';

const gpu = await openNodeGpu();
const { model, tokenizer } = await loadGpt2(gpu, await openModel(modelFolder()));
const idsOf = (text: string): readonly number[] => tokenizer!.encode(text, { prependBos: true }).ids;
const clean = idsOf('after Clara and Olga went to the store , Clara handed a letter to');
// Nobody in this one has been named twice, so that nothing tells whether Clara or Olga gets the letter.
const corrupted = idsOf('after Clara and Olga went to the store , Kevin handed a letter to');
const [olga, clara] = ['Olga', 'Clara'].map((name) => tokenizer!.singleToken(name));

const { values, index } = await getActPatchResidPre(model, {
  clean: [clean],
  corrupted: [corrupted],
  metric: logitDifference(olga!, clara!),
  normalise: true,
  onProgress: showProgress('patching'),
});
const layers = index.layer!;
console.log(`share of the answer restored    ${layers.map((layer) => `layer ${layer}`).join('  ')}`);
clean.forEach((id, position) => {
  const shares = layers.map((_, row) => values.data[row * clean.length + position]!.toFixed(2).padStart(7));
  console.log(`${String(position).padStart(2)} ${tokenizer!.tokenText(id).padEnd(28)} ${shares.join('  ')}`);
});
model.dispose();
gpu.dispose();
