// The committed folder of pocket-chat: files equal to what the code writes, recorded weights with a card of theirs, and a tokenizer that another library reads.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '@huggingface/tokenizers';
import { Random, chatWorld, decodeChat, drawChatDocument } from '@limn/tasks/chat';
import { CHAT_RECIPE, chatModelFiles, chatModelFolder, chatRequirements, type ChatFigures } from '@limn/pocket/chat';
import type { Requirement } from '@limn/pocket';

const textOf = (name: string): Promise<string> => readFile(new URL(name, chatModelFolder()), 'utf8');

describe('the folder of pocket-chat', () => {
  it('holds exactly the generated files', async () => {
    for (const [name, text] of Object.entries(chatModelFiles(CHAT_RECIPE.model))) expect(await textOf(name)).toBe(text);
  });

  it('has the recorded weights, small ones, and a card that names the measured ones', async () => {
    const bytes = await readFile(new URL('model.safetensors', chatModelFolder()));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '4fc9b0580e5e77278535c35e65189129d2a9ff6a2a78f21a5149028e1eb13a94',
    );
    expect(bytes.length).toBeLessThan(5e6);
    const { weightsSha256 } = JSON.parse(await textOf('figures.json')) as { readonly weightsSha256: string };
    expect(await textOf('README.md')).toContain(`weights ${weightsSha256}`);
  });

  it('meets what is asked of a base for topics, by the measured figures, and misses what the card says', async () => {
    const { figures, requirements } = JSON.parse(await textOf('figures.json')) as {
      readonly figures: ChatFigures;
      readonly requirements: readonly Requirement[];
    };
    // The card's judgement is that of the code, and not of the day on which it was written.
    expect(chatRequirements(figures)).toEqual(requirements);
    expect(requirements.filter(({ met }) => !met).map(({ name }) => name)).toEqual([
      'answers, link',
      'answers, changed',
      'answers, headline',
    ]);
  });
});

describe('its tokenizer.json in @huggingface/tokenizers', () => {
  it('round-trips documents', async () => {
    const tokenizer = new Tokenizer(
      JSON.parse(await textOf('tokenizer.json')),
      JSON.parse(await textOf('tokenizer_config.json')),
    );
    const random = new Random('chat-round-trip');
    const { mixture } = CHAT_RECIPE.corpus;
    for (let i = 0; i < 200; i++) {
      const ids = [0, ...drawChatDocument(random, chatWorld(), mixture, 63).tokens];
      const text = decodeChat(ids);
      expect(tokenizer.encode(text).ids).toEqual(ids);
      expect(tokenizer.decode(ids, { skip_special_tokens: false })).toBe(text);
    }
  });
});
