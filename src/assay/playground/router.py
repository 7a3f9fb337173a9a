"""The routers of this room's resources."""

from fastapi import APIRouter

from assay.playground.datasets.endpoints import router as datasets
from assay.playground.datasets.exports.endpoints import router as dataset_exports
from assay.playground.datasets.imports.endpoints import router as imports
from assay.playground.datasets.items.endpoints import router as items
from assay.playground.projects.endpoints import projects, use_cases
from assay.playground.projects.members.endpoints import router as members
from assay.playground.promptfoo.endpoints import router as promptfoo
from assay.playground.prompts.completions.endpoints import router as completions
from assay.playground.prompts.diffs.endpoints import router as diffs
from assay.playground.prompts.endpoints import router as prompts
from assay.playground.prompts.gates.endpoints import router as gates
from assay.playground.prompts.versions.endpoints import labels, versions
from assay.playground.runs.comparison.endpoints import router as comparisons
from assay.playground.runs.endpoints import router as runs
from assay.playground.runs.export.endpoints import router as exports
from assay.playground.runs.results.endpoints import router as results
from assay.playground.runs.sharing.endpoints import shared, shares

router = APIRouter()
for resource in (
    projects,
    members,
    use_cases,
    prompts,
    diffs,
    versions,
    completions,
    labels,
    gates,
    datasets,
    imports,
    dataset_exports,
    items,
    # Before what takes any word for the id of a run.
    comparisons,
    runs,
    results,
    exports,
    shares,
    shared,
    promptfoo,
):
    router.include_router(resource)
