// A captured hook: the attention pattern of every head, to find the one that looks back at the right name.
import { fileURLToPath } from 'node:url';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { blockHook, tokenBatch } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { readFloats } from '@limn/tensor';

const gpu = await openNodeGpu();
const { model, tokenizer } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));
const { layers, heads } = model.info;

const prompt = 'after Clara and Olga went to the store , Clara handed a letter to';
const { ids } = tokenizer!.encode(prompt, { prependBos: true });
const words = ids.map((id) => tokenizer!.tokenText(id));

// Sites have TransformerLens's names; those that are asked for are kept, and nothing else is.
const step = gpu.step();
const sites = Array.from({ length: layers }, (_, layer) => blockHook(layer, 'attn.hook_pattern'));
const run = model.run(step, { tokens: tokenBatch([ids], model.info) }, { capture: sites, logits: 'none' });
const patterns = await Promise.all(sites.map((site) => readFloats(step, run.at(site)))); // each [1, heads, T, T]

console.log(`${prompt} …\n\nfrom the last word, each head looks most at:`);
const T = ids.length;
for (let layer = 0; layer < layers; layer++) {
  for (let head = 0; head < heads; head++) {
    const row = patterns[layer]!.subarray((head * T + T - 1) * T, (head * T + T) * T);
    const most = row.indexOf(Math.max(...row));
    const bar = '█'.repeat(Math.round(20 * row[most]!));
    console.log(`  layer ${layer} head ${head}  ${words[most]!.padEnd(14)} ${row[most]!.toFixed(2)} ${bar}`);
  }
}
step.dispose();
model.dispose();
gpu.dispose();
