"""By which types, groups and categories a contract is found."""

from hypothesis import given
from hypothesis import strategies as st

from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from ingestor.domain.summary import TypeFacts
from ingestor.esi.models import PublicItem
from ingestor.stores.items import LARGEST_FACET, facets

ids = st.one_of(st.integers(1, 50), st.sampled_from([GROUP_FACET - 1, GROUP_FACET, 2**31 - 1, 2**31, 2**63 - 1]))
facts_of_types = st.dictionaries(ids, st.builds(TypeFacts, st.just("Thing"), ids, ids), min_size=1)


@given(st.data(), facts_of_types)
def test_a_contract_is_found_by_everything_it_offers_and_by_nothing_else(
    data: st.DataObject, facts: dict[int, TypeFacts]
) -> None:
    held = data.draw(st.lists(st.tuples(st.sampled_from(sorted(facts)), st.booleans()), max_size=8))
    items = [PublicItem(1, type_id, 1, is_included=offered) for type_id, offered in held]

    found = facets(items, facts)

    offered = {type_id for type_id, is_offered in held if is_offered}
    types = {type_id for type_id in offered if type_id < GROUP_FACET}
    groups = {facts[type_id].group_id for type_id in offered if facts[type_id].group_id < GROUP_FACET}
    categories = {facts[type_id].category_id for type_id in offered}
    assert found == sorted(set(found))
    assert {facet for facet in found if facet < GROUP_FACET} == types
    assert {facet - GROUP_FACET for facet in found if GROUP_FACET <= facet < CATEGORY_FACET} == groups
    assert {facet - CATEGORY_FACET for facet in found if facet >= CATEGORY_FACET} == {
        category for category in categories if category + CATEGORY_FACET <= LARGEST_FACET
    }
