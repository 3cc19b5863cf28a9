// A pretended retrieval and a pretended model, without network: what it finds, it says.
// CHAT_MODEL=/path/to/yours.mjs has the server take yours, with the same two functions.
import { setTimeout } from 'node:timers/promises';

const PASSAGES = [
  ['tariff-04', 'Tariff, part 4', 'A single ticket is valid for 75 minutes from stamping, with changes, but not for the way back.'],
  ['tariff-05', 'Tariff, part 5', 'A day ticket is valid until 3:00 of the next morning, for one person and a child.'],
  ['tariff-09', 'Tariff, part 9', 'Dogs need a child ticket; those that fit into a bag ride free.'],
  ['tariff-11', 'Tariff, part 11', 'A bike needs a ticket of its own for 1.80, and stays at home on weekdays from 7:00 to 9:00.'],
  ['night-02', 'Night lines', 'At night the lines N1 to N4 leave the harbour every 40 minutes, at the usual price.'],
  ['lost-01', 'Lost property', 'Things lost in a tram are kept at the depot for six weeks, from the day after.'],
].map(([document_id, title, text]) => ({ document_id, title, text }));

const words = (text) => new Set(text.toLowerCase().match(/\p{L}{4,}/gu)?.map((word) => word.replace(/s$/, '')));

// Returns at most topK passages, those that share most words with the question, with their scores from 0 to 1.
export async function retrieve(question, topK) {
  const asked = words(question);
  return PASSAGES
    .map((passage) => {
      const shared = [...words(`${passage.title} ${passage.text}`)].filter((word) => asked.has(word));
      return { ...passage, score: Number((shared.length / Math.max(asked.size, 1)).toFixed(2)) };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, topK);
}

// Yields the answer to a prompt (what rag_get_prompt() returns) piece by piece, until the signal aborts.
// With the AI SDK: yield* streamText({ model, messages: prompt, abortSignal: signal }).textStream
export async function* ask(prompt, sources, signal) {
  const answer = sources.length
    ? sources.map(({ text }, i) => `${text} [${i + 1}]`).join('\n\n')
    : 'I find nothing about that in my six passages about trams. Ask me about tickets, dogs, bikes or the night lines.';
  for (const piece of answer.match(/\S+\s*/g)) {
    await setTimeout(60, undefined, { signal });
    yield piece;
  }
}
