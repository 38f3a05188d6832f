"""Async callbacks, an async generator, and several tasks that change one document."""

import asyncio

import panel as pn

pn.extension()

start = pn.widgets.Button(name="Start")
bar = pn.indicators.Progress(name="Progress", value=0, max=5)
done = pn.pane.Str("done: no")
number = pn.widgets.IntInput(name="Number", value=1)
rows = pn.Column()


async def run(event: object) -> None:
    rows.clear()
    for step in range(5):
        await asyncio.sleep(0.01)
        bar.value = step + 1
        rows.append(pn.pane.Str(f"row {step}"))
    done.object = "done: yes"


async def double(value: int) -> str:
    await asyncio.sleep(0.01)
    return f"double: {2 * value}"


async def count(value: int):
    for step in range(value + 1):
        yield f"counted: {step}"
        await asyncio.sleep(0.01)


start.on_click(run)
pn.Column(
    start, bar, done, rows, number, pn.bind(double, number), pn.bind(count, number)
).servable()
