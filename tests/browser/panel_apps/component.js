export function render({ model, el }) {
  const button = document.createElement("button")
  const show = () => { button.textContent = `file ${model.count}` }
  button.className = "counted from-file"
  button.onclick = () => { model.count += 1 }
  model.on("count", show)
  show()
  return button
}
