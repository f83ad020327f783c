"""Channel rules: GA4's groups, gaps filled from page, click id and referrer, exclusions, mistakes in the file."""

from pathlib import Path
from typing import Any

import pytest

from attribution.channel_hosts import is_under, registrable_host
from attribution.channels import ChannelRules, ChannelRulesError
from schemas.channel_rules import load_channel_rules

GA4_GROUPS = {
    "Direct", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display", "Paid Other",
    "Organic Shopping", "Organic Social", "Organic Video", "Organic Search", "Email", "Affiliates", "Referral", "Audio",
    "SMS", "Mobile Push", "Unassigned",
}  # fmt: skip  # as the reference lists them


@pytest.fixture(scope="module")
def rules() -> ChannelRules:
    return load_channel_rules()


def test_the_rules_name_the_19_groups_of_ga4_and_ai_assistants(rules: ChannelRules) -> None:
    assert set(rules.channels) == GA4_GROUPS | {"AI Assistants"}


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "channel"),
    [
        (None, None, None, "Direct"),
        ("(direct)", "(none)", None, "Direct"),
        ("google", "cpc", "DE | Cross-network | winter", "Cross-network"),
        ("ebay", "cpc", None, "Paid Shopping"),
        ("google", "cpc", "winter-shop", "Paid Shopping"),
        ("google", "cpc", "bishop", "Paid Search"),
        ("google", "cpc", "workshop", "Paid Search"),
        ("google", "cpc", "eshop", "Paid Shopping"),
        (" Google ", "CPC", None, "Paid Search"),
        ("bing", "ppc", None, "Paid Search"),
        ("facebook", "paid-social", None, "Paid Social"),
        ("instagram", "retargeting", None, "Paid Social"),
        ("youtube", "cpv-cpc", None, "Paid Video"),
        ("criteo", "display", None, "Display"),
        ("criteo", "cpm", None, "Display"),
        ("google", "cpm", None, "Paid Search"),
        ("taboola", "cpc", None, "Paid Other"),
        ("etsy.com", None, None, "Organic Shopping"),
        ("blog", "organic", "autumn shopping", "Organic Shopping"),
        ("t.co", None, None, "Organic Social"),
        ("partner", "Social  Network", None, "Organic Social"),
        ("vimeo.com", "referral", None, "Organic Video"),
        ("site", "in-video", None, "Organic Video"),
        ("duckduckgo.com", "referral", None, "Organic Search"),
        ("anything", "organic", None, "Organic Search"),
        ("news.example", "referral", None, "Referral"),
        ("crm", "email", None, "Email"),
        ("e-mail", "weekly", None, "Email"),
        ("awin", "affiliate", None, "Affiliates"),
        ("spotify", "audio", None, "Audio"),
        ("sms", None, None, "SMS"),
        ("crm", "sms", None, "SMS"),
        ("crm", "web-push", None, "Mobile Push"),
        ("firebase", None, None, "Mobile Push"),
        ("crm", "mobile-app", None, "Mobile Push"),
        ("perplexity", None, None, "AI Assistants"),
        ("flyer", "print", None, "Unassigned"),
    ],
)
def test_source_medium_and_campaign_name_the_group(
    rules: ChannelRules, source: str | None, medium: str | None, campaign: str | None, channel: str
) -> None:
    assert rules.classify(source, medium, campaign) == channel


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("https://www.google.co.uk/", "Organic Search"),
        ("https://gemini.google.com/app", "AI Assistants"),
        ("https://mail.google.com/mail/u/0", "Email"),
        ("android-app://com.google.android.gm/", "Email"),
        ("https://l.facebook.com/", "Organic Social"),
        ("https://m.youtube.com/watch", "Organic Video"),
        ("https://netgoogle.example/", "Referral"),
        ("news.example", "Referral"),
        ("https://[broken", "Direct"),
    ],
)
def test_a_referrer_stands_in_for_the_source(rules: ChannelRules, referrer: str, channel: str) -> None:
    assert rules.classify(referrer=referrer, page_url="https://shop.example/") == channel


@pytest.mark.parametrize(
    ("query", "channel"),
    [
        ("gclid=1", "Paid Search"),
        ("msclkid=1", "Paid Search"),
        ("dclid=1", "Display"),
        ("ttclid=1", "Paid Social"),
        ("fbclid=1", "Organic Social"),
        ("gclid=1&utm_source=crm&utm_medium=email", "Email"),
        ("gclid=", "Direct"),
        ("UTM_Source=google&utm_medium=cpc", "Paid Search"),
        ("utm_medium=paid%20social&utm_source=facebook", "Paid Social"),
    ],
)
def test_the_page_address_fills_the_gaps_and_a_tag_outranks_a_click_id(
    rules: ChannelRules, query: str, channel: str
) -> None:
    assert rules.classify(page_url=f"https://shop.example/?a=b&{query}#gclid=9") == channel


def test_click_ids_of_the_event_count_like_those_of_the_page(rules: ChannelRules) -> None:
    assert rules.classify(click_ids={"gbraid": "x"}) == "Paid Search"
    assert rules.classify(click_ids={"unknown": "x"}) == "Direct"


@pytest.mark.parametrize(
    ("referrer", "page_url"),
    [
        ("https://www.paypal.com/checkout", "https://shop.example/thanks"),
        ("https://pay.google.com/", None),
        ("https://blog.shop.example/a", "https://www.shop.example/b"),
        ("https://shop.co.uk/a", "https://pay.shop.co.uk/b"),
        ("https://sister.example/", "https://shop.example/"),
    ],
)
def test_a_return_from_a_gateway_or_an_own_domain_is_no_touch(referrer: str, page_url: str | None) -> None:
    rules = ChannelRules.from_mapping(
        {
            "rules": [{"channel": "Any", "any": [{"medium": {"matches": ".*"}}]}],
            "gateways": ["paypal.com", "pay.google.com"],
            "own_domains": ["sister.example"],
        }
    )
    assert rules.classify(referrer=referrer, page_url=page_url) is None
    assert rules.classify("crm", "email", referrer=referrer, page_url=page_url) == "Any"


def test_two_shops_below_one_country_suffix_are_not_one_owner(rules: ChannelRules) -> None:
    assert rules.classify(referrer="https://other.co.uk/", page_url="https://shop.co.uk/") == "Referral"


def test_a_campaign_alias_is_found_without_case_and_whitespace() -> None:
    rules = ChannelRules.from_mapping(
        {
            "rules": [{"channel": "A", "any": [{"source": {"is": "a"}}]}],
            "campaign_aliases": {"Sumer  sale": "Summer Sale"},
        }
    )
    assert rules.campaign(" sumer SALE ") == "Summer Sale"
    assert rules.campaign(" Winter Sale ") == "Winter Sale"


def test_hosts_are_compared_by_whole_labels() -> None:
    assert is_under("www.paypal.com", frozenset({"paypal.com"}))
    assert not is_under("notpaypal.com", frozenset({"paypal.com"}))
    assert [
        registrable_host(h) for h in ("a.b.example.com", "a.example.com.au", "127.0.0.1", "localhost", "co.uk")
    ] == [
        "example.com",
        "example.com.au",
        "127.0.0.1",
        "localhost",
        "co.uk",
    ]


ONE_RULE = {"channel": "A", "any": [{"source": {"is": "a"}}]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "my.yaml: top level: must be a mapping"),
        ({"rules": []}, "my.yaml: rules: must be a list"),
        ({"rules": [ONE_RULE], "list": {}}, "my.yaml: top level, field list: is unknown; use one of version, lists"),
        ({"rules": [ONE_RULE, {"any": []}]}, "my.yaml: rule 2, field channel: must be a text"),
        (
            {"rules": [ONE_RULE | {"channel": "Unattributed"}]},
            "rule 1, field channel: 'Unattributed' names conversions",
        ),
        ({"rules": [ONE_RULE], "otherwise": "unattributed"}, "otherwise: 'unattributed' names conversions"),
        ({"rules": [{"channel": "A", "any": []}]}, r"my.yaml: rule 1 \(A\), field any: must be a list"),
        ({"rules": [{"channel": "A", "any": [{}]}]}, r"rule 1 \(A\), field any: an empty condition"),
        (
            {"rules": [{"channel": "A", "any": [{"mediun": {"is": "x"}}]}]},
            r"rule 1 \(A\), field mediun: is unknown; use one of source, medium, campaign",
        ),
        ({"rules": [{"channel": "A", "any": [{"medium": {"like": "x"}}]}]}, "field medium, field like: is unknown"),
        (
            {"rules": [{"channel": "A", "any": [{"medium": {"matches": "("}}]}]},
            "field medium, matches: '\\(' is no regular",
        ),
        (
            {"rules": [{"channel": "A", "any": [{"source": {"in_list": "serch"}}]}], "lists": {"search": ["a"]}},
            "field source, in_list: no list 'serch'; lists are search",
        ),
        ({"rules": [ONE_RULE], "gateways": [7]}, "gateways: must be a text, is 7"),
        ({"rules": [ONE_RULE], "click_ids": {"gclid": {"source": "google"}}}, "click_ids.gclid.medium: must be a text"),
    ],
)
def test_a_mistake_is_named_with_file_rule_and_field(data: Any, message: str) -> None:
    with pytest.raises(ChannelRulesError, match=message):
        ChannelRules.from_mapping(data, where="my.yaml")


def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChannelRulesError, match=r"gone\.yaml: cannot be read .* check ATTRIBUTION_CHANNEL_RULES"):
        load_channel_rules(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("rules: [")
    with pytest.raises(ChannelRulesError, match=r"bad\.yaml: is no YAML"):
        load_channel_rules(tmp_path / "bad.yaml")


def test_own_rules_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "rules: [{channel: Mine, any: [{source: {ends_with: [zz]}}]}]\notherwise: Rest\n"
    )
    rules = load_channel_rules(tmp_path / "own.yaml")
    assert (rules.classify("buzz-ZZ"), rules.classify("other")) == ("Mine", "Rest")
