// Logits: pocket, the small GPT-2 of this repository, reads a sentence and says which word it expects next.
import { fileURLToPath } from 'node:url';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { tokenBatch } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { readFloats } from '@limn/tensor';

const gpu = await openNodeGpu();
const { model, tokenizer } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));

const prompt = 'question : what is the capital of Cuba ? answer :';
const { ids } = tokenizer!.encode(prompt, { prependBos: true });

// `run` records the forward pass; 'last' asks for the logits after the last token only.
const step = gpu.step();
const run = model.run(step, { tokens: tokenBatch([ids], model.info) }, { logits: 'last' });
const logits = await readFloats(step, run.logits);

const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
const best = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
console.log(prompt);
for (const id of best.slice(0, 5)) {
  const percent = (100 * Math.exp(logits[id]!)) / total;
  console.log(`  ${percent.toFixed(1).padStart(5)} %  ${tokenizer!.tokenText(id)}`);
}
step.dispose();
model.dispose();
gpu.dispose();
