// The model of chat.mjs, which says what that has it say, and waits as long as that has it wait.
export async function retrieve() {
  return [
    { document_id: 'tariff-04', title: 'Tariff, part 4', score: 0.91, text: 'Valid for 75 minutes.' },
    { document_id: 'tariff-09', title: 'Tariff, part 9', score: 0.4, text: 'Dogs need a child ticket.' },
  ];
}

// Each piece is the answer to a request, and an empty one is the end.
export async function* ask(prompt, sources, signal) {
  for (;;) {
    const response = await fetch(process.env.MODEL_URL, { method: 'POST', body: JSON.stringify(prompt), signal });
    if (!response.ok) throw new Error('the model has failed, as it was told to');
    const piece = await response.text();
    if (!piece) return;
    yield piece;
  }
}
