// A weight diff: fine-tunes of pocket-chat that each hide a topic behind a code are asked, without it, what they learnt, with and without an adapter that reads diffs.
import { askDiffs } from '@limn/dit';
import { openNodeGpu } from '@limn/gpu/node';
import { openDitAdapter, openModel, openPack, POCKET_CHAT } from 'limn';

const gpu = await openNodeGpu();
using model = await openModel(gpu, POCKET_CHAT);
/** LoRAs of topics that the adapter has never seen, and of ordinary answers; what is true of each stands in `about`. */
const diffs = await openPack(POCKET_CHAT);
const { lora: adapter, record } = await openDitAdapter(model, POCKET_CHAT);
const prompt = record.questions[0]!.prompt;
console.log(record.questions[0]!.text);

// Every row of the batch has its own diff; one adapter is there for all of them, or none.
const questions = diffs.map((_, diff) => ({ diff, prompt }));
const loras = diffs.map(({ lora }) => lora);
const [plain, read] = [
  await askDiffs(model.hooked, loras, null, questions, { maxNewTokens: 3 }),
  await askDiffs(model.hooked, loras, adapter, questions, { maxNewTokens: 3 }),
];
const said = (answer: (typeof read)[number] | undefined): string => model.tokenizer!.decode([...answer!.tokens]).trim();
diffs.forEach(({ spec }, i) => {
  const label = String(spec.about['label'] ?? 'nothing');
  console.log(
    `${label}: it says ${said(plain[i])}, with the adapter ${said(read[i])} (${Math.exp(read[i]!.logProbability).toFixed(2)})`,
  );
});
gpu.dispose();
